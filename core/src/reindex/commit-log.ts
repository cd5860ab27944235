import {availableParallelism} from 'node:os'

import type {Collection} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {requireFreeSpace} from '../change/disk-space.js'
import {type SwitchedIndex, switchIndex} from '../change/index-switch.js'
import {fitsKernel} from '../hnsw/distance/vector-table.js'
import {imageShape} from '../hnsw/extend/index-image.js'
import {lastLabel} from '../hnsw/index-metadata.js'
import {sizeOf} from '../persist-dir/sizes.js'
import {estimateMemory, requireMemory} from './memory.js'
import {indexBytes} from './rebuild-index.js'
import {type IndexSource, readIndexSource} from './source.js'
import {writeExtendedIndex} from './write-extended-index.js'
import {writeFullIndex} from './write-full-index.js'
import type {StageOptions, WrittenSegment} from './write-segment.js'

export type CommittedLog = SwitchedIndex<WrittenSegment & {appliedRows: number}>

/**
 * Applies the pending log of a collection to its index, in a new folder that replaces the old one. A small part of the
 * log is added to the graph there is; where that would take longer than building on all cores, where there is no index
 * yet or its graph is not sound, the whole index is built.
 *
 * @param dir opened for writing
 * @returns undefined when nothing is pending
 * @throws ChopsError `damaged` when a row cannot be applied, the index cannot be read or there is not enough memory; nothing
 * is changed then
 */
export async function commitLog(
  dir: PersistDir,
  owner: Pick<Collection, 'id'>,
  options: StageOptions = {},
): Promise<CommittedLog | undefined> {
  return switchIndex(dir, owner, {backup: false}, async (stage, collection) => {
    const commit = await readCommit(dir, collection, options)
    if (!commit) return
    const {isExtended, source} = commit
    const oldSize = await sizeOf(source.folder)
    const bytes = Math.max(2 * oldSize.allocated, indexBytes(source, source.parameters.m))
    await requireFreeSpace(dir.path, bytes, 'the new index')
    const folder = await stage()
    const written = isExtended
      ? await writeExtendedIndex(dir, source, folder, options)
      : await writeFullIndex(dir, source, source.parameters, folder, options)
    options.onStage?.('switch', 0, 1)
    return {maxSeqId: source.pending.maxSeqId, result: {...written, appliedRows: source.pending.rows}}
  })
}

/**
 * Reads what a commit would begin with, to know before anything is promised that it can be made: all but the vectors.
 *
 * @throws ChopsError `damaged` as `commitLog` would
 */
export async function requireCommittable(
  dir: PersistDir,
  collection: Collection,
  options: StageOptions = {},
): Promise<void> {
  await readCommit(dir, collection, options)
}

async function readCommit(
  dir: PersistDir,
  collection: Collection,
  {maxMemory, signal, threads = availableParallelism()}: StageOptions,
): Promise<{isExtended: boolean; source: IndexSource} | undefined> {
  const memory = await estimateMemory(dir, collection)
  requireMemory(memory.extend, maxMemory)
  const source = await readIndexSource(dir, collection, {signal})
  if (!source || source.pending.rows === 0) return undefined
  const isExtended = canExtend(source, threads)
  if (!isExtended) requireMemory(memory.full, maxMemory)
  return {isExtended, source}
}

/**
 * Inserting an element into a graph takes so many times what a full build takes for one on one thread: it compares in
 * f32 where a build takes bf16, and 128 bits at a time.
 */
const INSERTION = 1.5

/** So many times again where distances are computed without SIMD. */
const WITHOUT_SIMD = 7

/** Inserting goes one element after the other on one core; a full build uses them all, on every element. */
function canExtend({header, metadata, parameters, pending}: IndexSource, threads: number): boolean {
  if (!header || !metadata || header.curElementCount === 0) return false
  // The labels behind this count may be those of deleted elements.
  if (metadata.totalElementsAdded < lastLabel(metadata)) return false
  const added = pending.operations.filter(({op}) => op === 'add').length
  const changes = pending.operations.filter(({op}) => op !== 'delete').length
  const hasSimd = fitsKernel(imageShape(header, parameters.space, header.curElementCount + added))
  const insertion = hasSimd ? INSERTION : INSERTION * WITHOUT_SIMD
  return changes * insertion * threads < pending.ids.idToLabel.size
}
