import type {Database} from '@chops/core/sqlite'

import {TABLE_NAMES, type TableName} from './tables.js'

/** Rows by table, and index files. */
export interface SnapshotCounts {
  collectionMetadata: number
  collections: number
  embeddingMetadata: number
  embeddingMetadataArray: number
  embeddings: number
  embeddingsQueue: number
  hnswFiles: number
  maxSeqId: number
  segmentMetadata: number
  segments: number
}

const COUNT_NAMES = {
  collection_metadata: 'collectionMetadata',
  collections: 'collections',
  embedding_metadata: 'embeddingMetadata',
  embedding_metadata_array: 'embeddingMetadataArray',
  embeddings: 'embeddings',
  embeddings_queue: 'embeddingsQueue',
  max_seq_id: 'maxSeqId',
  segment_metadata: 'segmentMetadata',
  segments: 'segments',
} as const satisfies Record<TableName, keyof SnapshotCounts>

/** Counts by table name as the counts of a snapshot. */
export function countsFrom(rows: ReadonlyMap<TableName, number>, hnswFiles: number): SnapshotCounts {
  const counts = Object.fromEntries(TABLE_NAMES.map((name) => [COUNT_NAMES[name], rows.get(name) ?? 0]))
  return {...(counts as Omit<SnapshotCounts, 'hnswFiles'>), hnswFiles}
}

/** The counts that a new snapshot states. */
export async function countsOf(db: Database): Promise<SnapshotCounts> {
  const rows = await db.all<{name: TableName; row_count: number}>(
    'SELECT name, row_count FROM snapshot_tables',
  )
  const files = await db.get<{count: number}>('SELECT COUNT(*) AS count FROM hnsw_segment_files')
  return countsFrom(new Map(rows.map(({name, row_count: count}) => [name, count])), files?.count ?? 0)
}
