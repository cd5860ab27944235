import {encodeSeqId, hasColumn} from '@chops/core/catalog'
import {fillFts, FTS_TABLE, mergeFts, storeWholeTexts, textUpToNul} from '@chops/core/fts'
import type {PersistDir} from '@chops/core/persist-dir'

import type {Snapshot} from '../format/open.js'

export interface InsertRecordsOptions {
  /** Whether the full-text index gets the documents up to a NUL character only. */
  isCut: boolean
  /** Counts records. */
  onProgress: (done: number, total: number) => void
  segmentId: string
  /** How far the metadata segment has applied the log, by the numbers of the directory; absent when not at all. */
  seqId: number | undefined
  signal?: AbortSignal | undefined
}

/** Name under which the snapshot is attached to the directory's database. */
export const SNAPSHOT = 'snapshot'

/** Records that go in at once: enough that each makes one large part of the full-text index. */
const BATCH = 10_000

/** So many new parts of the full-text index are left to its engine, which merges parts little by little as it writes. */
const PARTS = 3

const VALUES = 'key, string_value, int_value, float_value, bool_value'

/** The records whose numbers are above the first and up to the second of the parameters. */
const IN_BATCH = 'id > ? AND id <= ?'

/**
 * Inserts the records of the attached snapshot with their metadata and documents, in the caller's transaction. They get
 * numbers above all that the directory ever gave out.
 */
export async function insertRecords(
  dir: PersistDir,
  {layout}: Snapshot,
  {isCut, onProgress, segmentId, seqId, signal}: InsertRecordsOptions,
): Promise<void> {
  const {db, generation} = dir
  const shift = await recordShift(dir)
  const {total} = (await db.get<{total: number}>(`SELECT COUNT(*) AS total FROM ${SNAPSHOT}.embeddings`)) ?? {
    total: 0,
  }
  // The number is that of a record's last write; which write of all those that are applied, no engine asks.
  const applied = encodeSeqId(generation, seqId ?? 0)
  let done = 0
  let batches = 0
  await fillFts(db, async () => {
    for await (const {after, count, last} of batchesOf(dir)) {
      signal?.throwIfAborted()
      await db.run(
        `INSERT INTO main.embeddings (id, segment_id, embedding_id, seq_id, created_at)
         SELECT id + ?, ?, embedding_id, ?, created_at FROM ${SNAPSHOT}.embeddings WHERE ${IN_BATCH} ORDER BY id`,
        [shift, segmentId, applied, after, last],
      )
      await db.run(
        `INSERT INTO main.embedding_metadata (id, ${VALUES})
         SELECT id + ?, ${VALUES} FROM ${SNAPSHOT}.embedding_metadata WHERE ${IN_BATCH} ORDER BY id, key`,
        [shift, after, last],
      )
      // Without the index of values, which would bring them in the order of the texts.
      await db.run(
        `INSERT INTO main.${FTS_TABLE} (rowid, string_value)
         SELECT id + ?, ${isCut ? textUpToNul('string_value') : 'string_value'} FROM ${SNAPSHOT}.embedding_metadata
         WHERE ${IN_BATCH} AND +key = 'chroma:document' AND string_value IS NOT NULL ORDER BY id`,
        [shift, after, last],
      )
      if (isCut) await storeWholeTexts(db, {after: after + shift, to: last + shift})
      batches += 1
      done += count
      onProgress(done, total)
    }

    if (batches > PARTS) await mergeFts(db)
  })
  if (layout === 'chops') await insertLists(dir, shift)
}

/** The elements of a list come in the order in which they stand. */
async function insertLists({db}: PersistDir, shift: number): Promise<void> {
  if (!(await hasColumn(db, 'embedding_metadata_array', 'id'))) return
  await db.run(
    `INSERT INTO main.embedding_metadata_array (id, ${VALUES})
     SELECT id + ?, ${VALUES} FROM ${SNAPSHOT}.embedding_metadata_array ORDER BY rowid`,
    [shift],
  )
}

/** @yields where each batch begins and ends, by the numbers of the snapshot, and how many records it has */
async function* batchesOf({db}: PersistDir): AsyncGenerator<{after: number; count: number; last: number}> {
  for (let after = -1; ;) {
    const batch = await db.get<{count: number; last: null | number}>(
      `SELECT MAX(id) AS last, COUNT(*) AS count FROM
         (SELECT id FROM ${SNAPSHOT}.embeddings WHERE id > ? ORDER BY id LIMIT ${BATCH})`,
      [after],
    )
    if (batch?.last === undefined || batch.last === null) return
    yield {after, count: batch.count, last: batch.last}
    after = batch.last
  }
}

/**
 * What is added to the numbers of records. Not only those in use count: rows that a deleted collection left behind
 * (Chroma forgets the arrays of metadata) would become part of a new record of their number.
 */
async function recordShift({db}: PersistDir): Promise<number> {
  const tables = ['embeddings', 'embedding_metadata', `${FTS_TABLE}_content`]
  if (await hasColumn(db, 'embedding_metadata_array', 'id')) tables.push('embedding_metadata_array')
  const largest = tables.map((table) => `(SELECT MAX(id) FROM main.${table})`)
  const row = await db.get<{first: null | number; last: number}>(
    `SELECT MAX(0, ${largest.map((sql) => `COALESCE(${sql}, 0)`).join(', ')}) AS last,
            (SELECT MIN(id) FROM ${SNAPSHOT}.embeddings) AS first`,
  )
  return (row?.last ?? 0) + 1 - (row?.first ?? 1)
}
