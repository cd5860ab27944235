import {generationText} from '@chops/core/persist-dir'

import type {SnapshotCounts} from './format/counts.js'
import type {Layout} from './format/layout.js'
import {openSnapshot} from './format/open.js'
import type {ReadIndexOptions, StoredFile} from './format/read-index.js'
import {verifySnapshot} from './format/verify.js'

export interface VerifiedSnapshot {
  chromaVersion: string
  collection: string
  collectionId: string
  compression: 'none' | 'zlib'
  counts: SnapshotCounts
  createdAt: null | string
  database: string
  dimension: null | number
  file: string
  files: StoredFile[]
  /** Which tool wrote it: the Python tool's snapshots have checksums of the index files alone. */
  layout: Layout
  /** Records as Chroma counted them. */
  records: number
  size: number
  space: 'cosine' | 'ip' | 'l2'
  tenant: string
}

/**
 * Verifies a snapshot without a directory: its seal, the checksum of every table and file, whether its rows belong
 * together, and whether an engine can use its index.
 *
 * @throws ChopsError `damaged` that says what is wrong
 */
export async function verifyFile(file: string, options: ReadIndexOptions = {}): Promise<VerifiedSnapshot> {
  const snapshot = await openSnapshot(file, options.signal)
  try {
    const {counts, files} = await verifySnapshot(snapshot, options)
    const {collection, generation, info, layout, parameters, size} = snapshot
    return {
      chromaVersion: generationText(generation),
      collection: collection.name,
      collectionId: collection.id,
      compression: info.compression,
      counts,
      createdAt: info.createdAt,
      database: collection.database,
      dimension: collection.dimension,
      file: snapshot.file,
      files,
      layout,
      records: info.records,
      size,
      space: parameters.space,
      tenant: collection.tenant,
    }
  } finally {
    await snapshot.close()
  }
}
