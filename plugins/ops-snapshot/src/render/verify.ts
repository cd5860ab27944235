import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {VerifiedSnapshot} from '../services/verify-file.js'

export function snapshotTable(snapshot: VerifiedSnapshot): TableData {
  return {
    columns: ['Property', 'Value'],
    rows: [
      ['Collection', snapshot.collection],
      ['Tenant', snapshot.tenant],
      ['Database', snapshot.database],
      ['ID', snapshot.collectionId],
      ['Records', formatCount(snapshot.records)],
      ['Dimension', snapshot.dimension === null ? '' : String(snapshot.dimension)],
      ['Space', snapshot.space],
      ['Created', snapshot.createdAt ?? ''],
      ['Size', formatBytes(snapshot.size)],
      ['Index files', snapshot.compression],
    ],
    title: 'Snapshot',
  }
}

export function verifiedText({file, layout}: VerifiedSnapshot): string {
  return layout === 'chops'
    ? `${file} is what was written: every checksum is right, and its index is sound.`
    : `${file} can be restored: its index files have their checksums, and its index is sound.`
}

/** A snapshot of the Python tool has no checksum of its rows. */
export const UNVERIFIABLE_ROWS =
  'The Python tool, which wrote this snapshot, stores checksums of the index files only: whether a record, a document or a row of the log has changed cannot be told.'
