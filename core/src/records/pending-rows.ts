import type {Collection} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {keysetPages} from '../sqlite/database.js'

/** A row of the log that the metadata segment has not applied. */
export interface PendingRow {
  id: string
  /** Whether the metadata segment has a record of this id: 0 or 1. */
  known: number
  operation: number
  seq_id: number
}

/** Read in pages of this many, so that a log of any size fits in memory. */
const PAGE = 10_000

/** The part of a collection's log that its metadata segment has not applied, in order. */
export function pendingRows(dir: PersistDir, collection: Collection): AsyncGenerator<PendingRow[]> {
  const {metadataSegment, topic} = collection
  return keysetPages(dir.db, {
    after: metadataSegment?.maxSeqId ?? 0,
    columns: `q.seq_id, q.id, q.operation,
              EXISTS (SELECT 1 FROM embeddings e WHERE e.segment_id = ? AND e.embedding_id = q.id) AS known`,
    from: 'embeddings_queue q',
    key: 'q.seq_id',
    pageSize: PAGE,
    params: [metadataSegment?.id ?? '', topic],
    where: 'q.topic = ?',
  })
}
