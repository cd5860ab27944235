import type {PersistDir} from '../persist-dir/persist-dir.js'

import {allEnded} from '../change/all-ended.js'
import {ChopsError} from '../errors.js'
import {syncIndex} from '../hnsw/build/index-files.js'
import {netOperations} from '../hnsw/build/operations.js'
import {extendImage} from '../hnsw/extend/extend-index.js'
import {type IndexImage, readImage} from '../hnsw/extend/index-image.js'
import {verifyExtended} from '../hnsw/extend/verify-extended.js'
import {writeImage} from '../hnsw/extend/write-image.js'
import {requireFinite} from './require-finite.js'
import {type IndexSource, vectorsMissing} from './source.js'
import {writeFullIndex} from './write-full-index.js'
import {
  emptyFolder,
  LOW_RECALL,
  stage,
  type StageOptions,
  writeMetadata,
  type WrittenSegment,
} from './write-segment.js'

/**
 * Writes the old index with the pending log applied into an empty folder: old elements keep their labels and what no id
 * owns gets the mark of a deleted one, added ones go on after the last label given out. Each file is read once to be
 * changed in memory and written once; then the new ones are read back and held against the old ones, to the byte.
 * Where the old index is not sound, or the recall of the new one low, as that of the old graph may have been, the whole
 * index is built anew instead.
 *
 * @throws ChopsError `damaged` when a source or the new index is not sound
 */
export async function writeExtendedIndex(
  dir: PersistDir,
  source: IndexSource,
  folder: string,
  options: StageOptions = {},
): Promise<WrittenSegment> {
  const {dimension, parameters, pending} = source
  const {space} = parameters
  const net = netOperations(pending.operations, dimension, space)
  for (const changed of [net.added, net.updated]) requireFinite(changed, pending.ids.idToLabel, source)
  const image = await readSoundImage(source, net.added.labels.length, options)
  if (!image) return writeFullIndex(dir, source, parameters, folder, options)
  const operations = {...net, deleted: withoutOwner(source, image, net.deleted)}
  const {maxElements} = image.graph.header
  await extendImage(image, operations, stage('build', options))
  const {curElementCount} = image.graph.header
  await writeImage(folder, image, Math.max(maxElements, curElementCount), {signal: options.signal})
  const verifying = verifyExtended({
    ...stage('verify', options),
    enough: LOW_RECALL,
    image,
    labels: pending.ids.idToLabel.values(),
    newFolder: folder,
    oldFolder: source.folder,
    operations,
  })
  const writingIds = writeMetadata(dir, source, pending.ids, folder)
  const [verified] = await allEnded([verifying, syncIndex(folder), writingIds])
  if (verified.recall < LOW_RECALL) {
    await emptyFolder(folder)
    return writeFullIndex(dir, source, parameters, folder, options)
  }

  return {elements: curElementCount, engine: undefined, method: 'extend', verified}
}

/** The old index in memory; undefined when it is not sound, so that only its vectors can be used. */
async function readSoundImage(
  {folder, parameters}: IndexSource,
  added: number,
  options: StageOptions,
): Promise<IndexImage | undefined> {
  try {
    return await readImage({added, folder, space: parameters.space}, stage('read', options))
  } catch (error) {
    if (error instanceof ChopsError && error.kind === 'damaged') return undefined
    throw error
  }
}

/**
 * Labels to delete: those given and those of live elements that no id owns, which a search could only stumble over.
 *
 * @throws ChopsError `damaged` when an id owns no live element: it would be lost without a word
 */
function withoutOwner(source: IndexSource, image: IndexImage, deleted: Set<number>): Set<number> {
  const owned = new Set(source.metadata?.idToLabel.values())
  const labels = new Set(deleted)
  for (const [label, id] of image.ids) {
    if (image.graph.deleted[id] === 0 && !owned.delete(label)) labels.add(label)
  }

  if (owned.size > 0) throw vectorsMissing(source, owned)
  return labels
}
