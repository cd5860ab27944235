import {join} from 'node:path'

import {damaged} from '../errors.js'
import {exists} from '../persist-dir/exists.js'
import {checkIndexFiles} from './check.js'
import type {ScanOptions} from './files.js'
import {type HnswHeader, readHeader} from './header.js'
import {fromBackup, halfWritten, requireDimension} from './index-errors.js'
import {INDEX_METADATA_FILE, type IndexMetadataSummary, readIndexMetadata} from './index-metadata.js'
import {level0Chunks} from './level0.js'
import {assertNoProblem} from './problems.js'

export interface SegmentRules {
  /** Whether the index normalises its vectors. */
  cosine: boolean
  /** Of the collection; null when nothing fixed it yet. */
  dimension: null | number
}

/**
 * Makes sure that an engine can use a segment folder: the four files keep every rule of the format, the vectors have the
 * collection's dimension, and each id of `index_metadata.pickle` has a live vector.
 *
 * @returns the id map without its ids; undefined for a segment that was never persisted, which is healthy
 * @throws ChopsError `damaged` for the first rule that is broken
 */
export async function requireSoundSegment(
  folder: string,
  {cosine, dimension}: SegmentRules,
  options: ScanOptions = {},
): Promise<IndexMetadataSummary | undefined> {
  const file = join(folder, INDEX_METADATA_FILE)
  const isPersisted = await exists(file)
  if (!isPersisted && !(await exists(join(folder, 'header.bin')))) return undefined
  assertNoProblem(folder, await checkIndexFiles(folder, {...options, cosine}))
  const header = await readHeader(folder)
  if (!isPersisted) {
    if (header.curElementCount === 0) return undefined
    throw halfWritten(folder)
  }

  requireDimension(folder, header, dimension)
  const metadata = await readIndexMetadata(file, {ids: false, signal: options.signal})
  const found = await countOwned(folder, header, metadata, options)
  if (found === metadata.labelCount) return metadata
  throw damaged(
    `${join(folder, 'data_level0.bin')} has live vectors for ${found} of the ${metadata.labelCount} ids of ${INDEX_METADATA_FILE}.`,
    {file: join(folder, 'data_level0.bin'), next: `${fromBackup(folder)}.`},
  )
}

/** Live elements whose label an id owns; labels are unique, or `checkIndexFiles` would have said so. */
async function countOwned(
  folder: string,
  header: HnswHeader,
  {labels}: IndexMetadataSummary,
  {signal}: ScanOptions,
): Promise<number> {
  let owned = 0
  for await (const chunk of level0Chunks(folder, header, {signal})) {
    for (let row = 0; row < chunk.count; row++) {
      if (!chunk.isDeleted(row) && labels.has(chunk.label(row))) owned += 1
    }
  }

  return owned
}
