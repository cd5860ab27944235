import type {Database, SqlValue} from '@chops/core/sqlite'

import {contradiction, type SnapshotCollection} from './contents.js'
import type {Layout} from './layout.js'

/** Engines number records and log rows with 32 bits in places. */
const MOST = 2 ** 32

interface Rule {
  params?: SqlValue[]
  /** SQL that finds a row where the rule is broken. */
  sql: string
  /** Continues a sentence that begins with the file. */
  what: string
}

/**
 * Makes sure that the rows belong together and are of the kinds that the engines read without looking: a record of
 * another segment or a log row with an unknown operation would make Chroma fail, or mix collections.
 *
 * @throws ChopsError `damaged` for the first rule that is broken
 */
export async function requireConsistentRows(
  db: Database,
  layout: Layout,
  collection: SnapshotCollection,
): Promise<void> {
  for (const {params = [], sql, what} of rulesFor(layout, collection)) {
    if (await db.get(`${sql} LIMIT 1`, params)) throw contradiction(db, what)
  }
}

function rulesFor(layout: Layout, {dimension, id, metadata, vector}: SnapshotCollection): Rule[] {
  const segments = [metadata.id, vector.id]
  const metadataTables = ['embedding_metadata', ...(layout === 'chops' ? ['embedding_metadata_array'] : [])]
  return [
    {
      params: segments,
      sql: 'SELECT 1 FROM segments WHERE id NOT IN (?, ?)',
      what: 'has segments of other collections',
    },
    {
      params: segments,
      sql: `SELECT 1 FROM (SELECT segment_id, COUNT(*) AS n FROM max_seq_id GROUP BY segment_id)
            WHERE n > 1 OR segment_id NOT IN (?, ?)`,
      what: 'has rows in max_seq_id that do not belong to its segments',
    },
    ownedMetadata('segment_metadata', 'segment_id', segments),
    ownedMetadata('collection_metadata', 'collection_id', [id]),
    {
      params: [metadata.id],
      sql: `SELECT 1 FROM embeddings WHERE segment_id <> ? OR typeof(embedding_id) <> 'text' OR id NOT BETWEEN 1 AND ${2 ** 53 - 1}`,
      what: 'has records that do not belong to its metadata segment',
    },
    {
      sql: `SELECT 1 FROM (SELECT MAX(id) - MIN(id) AS span, COUNT(*) AS n, COUNT(DISTINCT embedding_id) AS ids FROM embeddings)
            WHERE span >= ${MOST} OR n <> ids`,
      what: 'has records of the same id, or with numbers too far apart',
    },
    ...metadataTables.map((name) => ({
      sql: `SELECT 1 FROM ${name} m WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.id = m.id)
            OR typeof(key) <> 'text' OR typeof(string_value) NOT IN ('null', 'text')
            OR typeof(int_value) NOT IN ('null', 'integer') OR typeof(float_value) NOT IN ('null', 'real')
            OR typeof(bool_value) NOT IN ('null', 'integer')`,
      what: `has rows in ${name} of no record, or of a wrong type`,
    })),
    {
      params: [`/${id}`, `/${id}`, 4 * (dimension ?? 0)],
      sql: `SELECT 1 FROM embeddings_queue WHERE substr(topic, -length(?)) <> ? OR operation NOT BETWEEN 0 AND 4 OR typeof(operation) <> 'integer'
            OR typeof(id) <> 'text' OR typeof(metadata) NOT IN ('null', 'text')
            OR encoding NOT IN ('FLOAT32') OR typeof(vector) NOT IN ('null', 'blob') OR length(vector) <> ?
            OR seq_id NOT BETWEEN 0 AND ${2 ** 53 - 1}`,
      what: 'has log rows that no engine could apply',
    },
    {
      sql: `SELECT 1 FROM (SELECT COUNT(*) AS n FROM embeddings_queue) WHERE n >= ${MOST}`,
      what: 'has too many log rows',
    },
  ]
}

function ownedMetadata(table: string, owner: string, ids: string[]): Rule {
  return {
    params: ids,
    sql: `SELECT 1 FROM (SELECT ${owner} AS owner, typeof(key) AS kind, COUNT(*) AS n FROM ${table} GROUP BY ${owner}, key)
          WHERE n > 1 OR kind <> 'text' OR owner NOT IN (${ids.map(() => '?').join(', ')})`,
    what: `has rows in ${table} that do not belong to it`,
  }
}
