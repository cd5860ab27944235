import type {PersistDir} from '@chops/core/persist-dir'

import {fsyncPath} from '@chops/core/change'
import {INDEX_METADATA_FILE, lastLabel, readIndexMetadata} from '@chops/core/hnsw'
import {writeIndexMetadata} from '@chops/core/index-files'
import {mkdir, rename} from 'node:fs/promises'
import {join} from 'node:path'

import type {Snapshot} from '../format/open.js'
import {readIndexFiles, type ReadIndexOptions, readStoredFiles} from '../format/read-index.js'
import {verifyIndex} from '../format/verify.js'

export interface RestoredIndex {
  /** The newest log row that the index has applied, by the numbers of the snapshot. */
  applied: number
  /** Whether an engine has ever written the index. */
  isPersisted: boolean
}

/**
 * Writes the index files of a snapshot into a new folder, compared with their checksums and checked as a whole.
 *
 * @throws ChopsError `damaged` when a file is not what its checksum says, or no engine could use the index
 */
export async function restoreIndex(
  snapshot: Snapshot,
  folder: string,
  options: ReadIndexOptions,
): Promise<RestoredIndex> {
  const {vector} = snapshot.collection
  const files = await readStoredFiles(snapshot)
  if (files.length > 0) {
    await mkdir(folder)
    await readIndexFiles(snapshot, files, folder, options)
  }

  const metadata = await verifyIndex(snapshot, folder, options)
  if (files.length > 0) await fsyncPath(folder)
  return {applied: vector.maxSeqId ?? metadata?.maxSeqId ?? 0, isPersisted: metadata !== undefined}
}

/**
 * Brings `index_metadata.pickle` into the form that the directory's engine reads. The Rust engines read every form; the
 * Python engines read the pickled object alone, and the older ones of them also look there for how far the index is.
 * Memory: the ids.
 *
 * @param maxSeqId the newest applied row, by the numbers of the directory
 */
export async function adaptIndexMetadata(
  {generation}: PersistDir,
  {collection}: Snapshot,
  folder: string,
  maxSeqId: number,
): Promise<void> {
  if (generation.engine === 'rust') return
  const file = join(folder, INDEX_METADATA_FILE)
  const content = await readIndexMetadata(file, {ids: true})
  const adapted = `${file}.tmp`
  const dimensionality = content.dimensionality ?? collection.dimension
  const counters = {dimensionality, maxSeqId, totalElementsAdded: lastLabel(content)}
  await writeIndexMetadata(adapted, {...content, ...counters}, 'PersistentData')
  await fsyncPath(adapted)
  await rename(adapted, file)
  await fsyncPath(folder)
}
