import {counted} from '@chops/core/output'
import {CHROMA_TOKENIZER, FTS_TABLE, readFtsDefinition} from '@chops/core/fts'

import {type CheckContext, hasTable} from './context.js'
import {byFix, commandLine} from './finding.js'

/** Rows looked at by one statement: few enough for progress and Ctrl-C, enough to cost nothing. */
const ROWS_AT_A_TIME = 20_000

const LOWEST_ID = -Number.MAX_SAFE_INTEGER

const DOCUMENT = 'chroma:document'

/** What is counted over all ids, by the table that is gone through. */
interface Counted {
  arraysWithoutRecord: number
  bothValues: number
  documentsDiffering: number
  metadataWithoutRecord: number
  textsOfNothing: number
  textsWithoutDocument: number
}

/** Each counts the rows of a table whose ids lie between two `?`. */
const QUERIES: Record<keyof Counted, {sql: string; table: string}> = {
  metadataWithoutRecord: {
    sql: `SELECT COUNT(*) AS n FROM embedding_metadata WHERE id BETWEEN ? AND ? AND id NOT IN (SELECT id FROM embeddings)`,
    table: 'embedding_metadata',
  },
  arraysWithoutRecord: {
    sql: `SELECT COUNT(*) AS n FROM embedding_metadata_array
          WHERE id BETWEEN ? AND ? AND id NOT IN (SELECT id FROM embeddings)`,
    table: 'embedding_metadata_array',
  },
  bothValues: {
    sql: `SELECT COUNT(*) AS n FROM (
            SELECT DISTINCT a.id, a.key FROM embedding_metadata_array a
            JOIN embedding_metadata m ON m.id = a.id AND m.key = a.key WHERE a.id BETWEEN ? AND ?)`,
    table: 'embedding_metadata_array',
  },
  documentsDiffering: {
    // Unary plus: through an index over the key SQLite would go through all documents for each stretch of ids.
    sql: `SELECT COUNT(*) AS n FROM embedding_metadata m LEFT JOIN ${FTS_TABLE}_content c ON c.id = m.id
          WHERE m.id BETWEEN ? AND ? AND +m.key = '${DOCUMENT}' AND m.string_value IS NOT NULL
            AND c.c0 IS NOT m.string_value`,
    table: 'embedding_metadata',
  },
  textsOfNothing: {
    sql: `SELECT COUNT(*) AS n FROM ${FTS_TABLE}_content c
          WHERE c.id BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.id = c.id)
            AND NOT EXISTS (SELECT 1 FROM embedding_metadata m WHERE m.id = c.id AND m.key = '${DOCUMENT}')`,
    table: `${FTS_TABLE}_content`,
  },
  textsWithoutDocument: {
    sql: `SELECT COUNT(*) AS n FROM ${FTS_TABLE}_content c
          WHERE c.id BETWEEN ? AND ? AND EXISTS (SELECT 1 FROM embeddings e WHERE e.id = c.id)
            AND NOT EXISTS (SELECT 1 FROM embedding_metadata m WHERE m.id = c.id AND m.key = '${DOCUMENT}')`,
    table: `${FTS_TABLE}_content`,
  },
}

/** M1 to M9: records, their metadata, their documents. */
export async function checkMetadata(context: CheckContext): Promise<void> {
  const {findings, path} = context
  await findings.guard('M1', 'The owners of records', () => checkRecordOwners(context))
  const counts = await countRows(context)
  findings.count(
    'M2',
    counts.metadataWithoutRecord,
    (count) =>
      `${counted(count, 'metadata row')} of records that are gone: Chroma numbers new records with old numbers, and they would get them.`,
    byFix(path),
  )
  findings.count(
    'M3',
    counts.arraysWithoutRecord,
    (count) =>
      `${counted(count, 'row')} of metadata arrays of records that are gone, as Chroma 1.5 leaves them when a collection is deleted: the next new records, of any collection, come back with them.`,
    byFix(path),
  )
  findings.count(
    'M4',
    counts.bothValues,
    (count) => `${counted(count, 'metadata key')} with both a single value and an array.`,
    {repairable: 'partly'},
  )
  await checkFullText(context, counts)
  await findings.guard('M9', 'The log positions of records', () => checkPositionTypes(context))
}

/** Engines up to 0.6.3 leave the records of a deleted collection behind (seen with 0.5.23 and 0.6.3). */
async function checkRecordOwners({db, findings, path}: CheckContext): Promise<void> {
  const row = await db.get<{records: number; segments: number}>(
    `SELECT COUNT(*) AS segments, COALESCE(SUM(records), 0) AS records FROM (
       SELECT segment_id, COUNT(*) AS records FROM embeddings
       WHERE segment_id NOT IN (SELECT id FROM segments WHERE scope = 'METADATA') GROUP BY segment_id)`,
  )
  findings.count(
    'M1',
    row?.records ?? 0,
    (count) =>
      `${counted(count, 'record')} that belong to no METADATA segment, as engines up to 0.6 leave them when a collection is deleted: nothing can reach them.`,
    {...byFix(path), severity: 'I'},
  )
}

async function countRows(context: CheckContext): Promise<Counted> {
  const {db, findings, onStep} = context
  const counts: Counted = {
    arraysWithoutRecord: 0,
    bothValues: 0,
    documentsDiffering: 0,
    metadataWithoutRecord: 0,
    textsOfNothing: 0,
    textsWithoutDocument: 0,
  }
  const names = Object.keys(QUERIES) as (keyof Counted)[]
  for (const [position, name] of names.entries()) {
    const {sql, table} = QUERIES[name]
    // A table that is missing is told of by S4.
    const isThere =
      (await hasTable(db, table)) &&
      (!sql.includes('_content') || (await hasTable(db, `${FTS_TABLE}_content`)))
    if (!isThere) continue
    await findings.guard('S1', `The table ${table}`, async () => {
      counts[name] = await countInParts(context, sql, table, (share) =>
        onStep('metadata', position + share, names.length),
      )
    })
  }

  return counts
}

/** Goes through a table in the order of its ids, which need not be unique. */
async function countInParts(
  {db, signal}: CheckContext,
  sql: string,
  table: string,
  onShare: (share: number) => void,
): Promise<number> {
  const end = await db.get<{last: null | number}>(
    `SELECT MAX(id) AS last FROM ${table} WHERE id <= ${Number.MAX_SAFE_INTEGER}`,
  )
  const highest = end?.last ?? LOWEST_ID
  let count = 0
  for (let after = LOWEST_ID; ;) {
    signal?.throwIfAborted()
    const part = await db.get<{first: null | number; last: null | number}>(
      `SELECT MIN(id) AS first, MAX(id) AS last FROM (
         SELECT id FROM ${table} WHERE id > ? AND id <= ${Number.MAX_SAFE_INTEGER} ORDER BY id LIMIT ${ROWS_AT_A_TIME})`,
      [after],
    )
    if (!part || part.first === null || part.last === null || part.last <= after) return count
    const row = await db.get<{n: number}>(sql, [part.first, part.last])
    count += row?.n ?? 0
    after = part.last
    onShare(highest > 0 ? Math.max(0, after) / highest : 1)
  }
}

/** M5 to M8. */
async function checkFullText(context: CheckContext, counts: Counted): Promise<void> {
  const {db, findings, path} = context
  const rebuild = commandLine('fts', 'rebuild', path)
  const {documentsDiffering, textsOfNothing, textsWithoutDocument} = counts
  await findings.guard('M6', 'The numbering of full-text rows', async () => {
    if (documentsDiffering > 0 && (await isNumberedByMetadata(context))) {
      const message =
        'The full-text rows are numbered like metadata rows instead of records, as Chroma before 0.4.6 left them: searches for words return the wrong records.'
      findings.add('M6', message, {command: rebuild})
      return
    }

    const wrong = documentsDiffering + textsWithoutDocument
    findings.count(
      'M5',
      wrong,
      () =>
        `${counted(documentsDiffering, 'document')} that the full-text table lacks or has otherwise, and ${counted(textsWithoutDocument, 'text')} in it of records without a document: searches for words miss records or find wrong ones.`,
      {command: rebuild},
    )
    // Chroma 0.4 leaves these behind when a collection is deleted (seen with 0.4.24).
    findings.count(
      'M5',
      textsOfNothing,
      (count) =>
        `${counted(count, 'text')} of deleted records in the full-text table, which only take space.`,
      {command: rebuild, severity: 'I'},
    )
  })
  if (findings.has('S2') || findings.all.some(({id, severity}) => id === 'M5' && severity !== 'I')) {
    const side =
      documentsDiffering + textsWithoutDocument > 0
        ? 'The documents of the records differ from the full-text table; the records are what get() returns, so the table is made anew from them.'
        : 'The documents of the records and the texts of the full-text table are the same: only the index over them is damaged.'
    findings.add('M7', side, {command: rebuild})
  }

  await findings.guard('M8', 'The tokenizer', async () => {
    const {tokenizer} = await readFtsDefinition(db)
    if (tokenizer !== undefined && tokenizer !== CHROMA_TOKENIZER) {
      const message = `The full-text tokenizer is ${tokenizer}, not ${CHROMA_TOKENIZER}: $contains finds whole words only.`
      findings.add('M8', message, {command: rebuild})
    }
  })
}

/** Rows that differ by their id and agree by the rowid of a metadata row. */
async function isNumberedByMetadata({db}: CheckContext): Promise<boolean> {
  const row = await db.get<{all: number; byRow: number}>(
    `SELECT COUNT(*) AS "all", COALESCE(SUM(EXISTS (
       SELECT 1 FROM embedding_metadata m WHERE m.rowid = c.id AND m.key = '${DOCUMENT}' AND m.string_value = c.c0)), 0) AS byRow
     FROM (SELECT id, c0 FROM ${FTS_TABLE}_content ORDER BY id LIMIT ${ROWS_AT_A_TIME}) c`,
  )
  return row !== undefined && row.all > 0 && row.byRow === row.all
}

async function checkPositionTypes({db, findings}: CheckContext): Promise<void> {
  const rows = await db.all<{n: number; type: string}>(
    'SELECT typeof(seq_id) AS type, COUNT(*) AS n FROM embeddings GROUP BY 1 ORDER BY 1',
  )
  if (rows.length > 1) {
    const kinds = rows.map(({n, type}) => `${n} as ${type.toUpperCase()}`).join(' and ')
    findings.add(
      'M9',
      `Log positions of records are stored ${kinds}, as an upgrade leaves them. It does no harm.`,
    )
  }
}
