import {collectionText} from '@chops/core/catalog'
import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {SnapshotCounts} from '../services/format/counts.js'
import type {SnapshotResult} from '../services/snapshot/snapshot-collections.js'

/** As the Python tool names the tables; it has none for arrays. */
const LABELS: Record<keyof SnapshotCounts, string> = {
  embeddingsQueue: 'Embeddings Queue',
  maxSeqId: 'Max Seq ID',
  embeddings: 'Embeddings',
  embeddingMetadata: 'Embedding Metadata',
  embeddingMetadataArray: 'Embedding Metadata Array',
  segments: 'Segments',
  segmentMetadata: 'Segment Metadata',
  collections: 'Collections',
  collectionMetadata: 'Collection Metadata',
  hnswFiles: 'HNSW Segment Data Files',
}

/** The table of counts that the Python tool prints. */
export function countsTable(counts: SnapshotCounts, title: string): TableData {
  const names = Object.keys(LABELS) as (keyof SnapshotCounts)[]
  return {
    columns: ['Table', 'Count'],
    rows: names.map((name) => [LABELS[name], formatCount(counts[name])]),
    title,
  }
}

export function snapshotText(result: SnapshotResult): string {
  return `Snapshot of ${collectionText(result)} written to ${result.file} (${formatBytes(result.size)}).`
}
