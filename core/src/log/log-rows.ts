import type {PersistDir} from '../persist-dir/persist-dir.js'

import {keysetPages, type SqlValue} from '../sqlite/database.js'

/** A row of `embeddings_queue` as it is stored. */
export interface LogRow {
  seq_id: number
  created_at: SqlValue
  operation: SqlValue
  topic: SqlValue
  id: SqlValue
  /** The bytes of the embedding; NULL on a delete, and on an update of metadata alone. */
  vector: SqlValue
  encoding: SqlValue
  /** JSON text, the document in it under `chroma:document`. */
  metadata: SqlValue
}

/** Which rows: `since` and `until` are seq ids, both included. */
export interface LogRange {
  since?: number | undefined
  topic?: string | undefined
  until?: number | undefined
}

/** Small, because a row holds a document of any length beside its vector. */
const PAGE = 64

/**
 * Reads the log in the order of seq ids, page by page, with no more than a page in memory. In a transaction the pages
 * show one moment; while it is open no other process can commit to the database.
 */
export function logPages({db}: PersistDir, {since, topic, until}: LogRange): AsyncGenerator<LogRow[]> {
  const conditions = [topic === undefined ? '' : 'topic = ?', until === undefined ? '' : 'seq_id <= ?']
  const where = conditions.filter(Boolean).join(' AND ')
  return keysetPages<LogRow>(db, {
    ...(since !== undefined && {after: since - 1}),
    columns: 'seq_id, created_at, operation, topic, id, vector, encoding, metadata',
    from: 'embeddings_queue',
    key: 'seq_id',
    pageSize: PAGE,
    params: [topic, until].filter((value) => value !== undefined),
    ...(where !== '' && {where}),
  })
}

/** The highest seq id of the log; 0 when it is empty. */
export async function readLogEnd({db}: PersistDir): Promise<number> {
  const row = await db.get<{seqId: null | number}>('SELECT MAX(seq_id) AS seqId FROM embeddings_queue')
  return row?.seqId ?? 0
}
