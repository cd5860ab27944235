import {formatBytes, formatCount, formatPercent, formatSize, type TableData, toJson} from '@chops/core/output'

import type {
  CollectionInfo,
  DatabaseInfo,
  HnswSegmentInfo,
  MetadataSegmentInfo,
} from '../services/database-info.js'

import {REDACTED} from '../services/redact.js'

/** General Info, then three tables for each collection. In privacy mode a collection goes by its id. */
export function databaseInfoTables(info: DatabaseInfo): TableData[] {
  return [generalInfo(info), ...info.collections.flatMap((collection) => collectionTables(collection))]
}

function generalInfo(info: DatabaseInfo): TableData {
  const orphans = info.orphanHnswDirectories.map((orphan) => `${orphan.id} (${formatBytes(orphan.size)})`)
  return {
    columns: ['Property', 'Value'],
    rows: [
      ['Chroma Version', info.chromaVersion],
      ['Number of Collection', formatCount(info.numberOfCollections)],
      ['Persist Directory', info.persistDirectory],
      ['Persist Directory Size', formatSize(info.persistDirectorySize, info.persistDirectoryAllocated)],
      ['SystemDB size', `${formatBytes(info.systemDbSize)} (${info.systemDb})`],
      ['Orphan HNSW Directories', orphans.length === 0 ? 'none' : `${orphans.length}: ${orphans.join(', ')}`],
    ],
    title: 'General Info',
  }
}

function collectionTables(collection: CollectionInfo): TableData[] {
  const title = collection.name === REDACTED ? collection.id : collection.name
  return [
    {
      columns: ['Table Data', 'Value'],
      rows: [
        ['ID', collection.id],
        ['Name', collection.name],
        ['Metadata', metadataText(collection)],
        ['Dimension', collection.dimension === null ? 'none yet' : String(collection.dimension)],
        ['Tenant', collection.tenant],
        ['Database', collection.database],
        ['Records', formatCount(collection.records)],
        ['WAL Entries', formatCount(collection.walEntries)],
      ],
      title: `'${title}' Collection Data`,
    },
    metadataSegment(title, collection.metadataSegment),
    hnswSegment(title, collection.hnswSegment),
  ]
}

function metadataSegment(title: string, segment: MetadataSegmentInfo | null): TableData {
  const rows = segment
    ? [
        ['Segment ID', segment.segmentId],
        ['Type', segment.type],
        ['Scope', segment.scope],
        ['SysDB Max Seq ID', formatCount(segment.sysdbMaxSeqId)],
      ]
    : MISSING
  return {columns: ['Property', 'Value'], rows, title: `Metadata Segment (${title})`}
}

function hnswSegment(title: string, segment: HnswSegmentInfo | null): TableData {
  const rows = segment
    ? [
        ['Segment ID', segment.segmentId],
        ['Type', segment.type],
        ['Scope', segment.scope],
        ['Path', segment.path],
        ['SysDB Max Seq ID', formatCount(segment.sysdbMaxSeqId)],
        ['HNSW Dir Size', formatSize(segment.hnswDirSize, segment.hnswDirAllocated)],
        ['HNSW Metadata Max Seq ID', formatCount(segment.hnswMetadataMaxSeqId)],
        ['HNSW Metadata Total Labels', formatCount(segment.hnswMetadataTotalLabels)],
        ['WAL Gap', formatCount(segment.walGap)],
        ['HNSW Raw Total Active Labels', formatCount(segment.hnswRawTotalActiveLabels)],
        ['HNSW Raw Allocated Labels', formatCount(segment.hnswRawAllocatedLabels)],
        ['HNSW Orphan Labels', formatCount(segment.hnswOrphanLabels)],
        ['Fragmentation Level', formatPercent(segment.fragmentationLevel)],
      ]
    : MISSING
  return {columns: ['Property', 'Value'], rows, title: `HNSW Segment (${title})`}
}

const MISSING = [['Segment ID', 'missing: Chroma cannot open this collection']]

function metadataText({metadata, name}: CollectionInfo): string {
  if (name === REDACTED) return REDACTED
  return metadata === null ? 'None' : toJson(metadata).replaceAll(/\n\s*/g, ' ')
}
