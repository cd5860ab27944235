import {availableParallelism} from 'node:os'

import type {Collection} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {requireFreeSpace} from '../change/disk-space.js'
import {type SwitchedIndex, switchIndex} from '../change/index-switch.js'
import {checkIndexFiles} from '../hnsw/check.js'
import {sizeOf} from '../persist-dir/sizes.js'
import {indexBytes} from './rebuild-index.js'
import {type IndexSource, readIndexSource} from './source.js'
import {
  copyIndex,
  type StageOptions,
  writeExtendedIndex,
  writeFullIndex,
  type WrittenSegment,
} from './write-segment.js'

export type CommittedLog = SwitchedIndex<WrittenSegment & {appliedRows: number}>

/**
 * Applies the pending log of a collection to its index, in a new folder that replaces the old one. A small part of the
 * log is added to the graph there is; where that would take longer than building on all cores, where there is no index
 * yet or its graph is not sound, the whole index is built.
 *
 * @param dir opened for writing
 * @returns undefined when nothing is pending
 * @throws ChopsError `damaged` when a row cannot be applied or the index cannot be read; nothing is changed then
 */
export async function commitLog(
  dir: PersistDir,
  owner: Pick<Collection, 'id'>,
  options: StageOptions = {},
): Promise<CommittedLog | undefined> {
  return switchIndex(dir, owner, {backup: false}, async (stage, collection) => {
    const source = await readIndexSource(dir, collection, {signal: options.signal})
    if (!source || source.pending.rows === 0) return
    const oldSize = await sizeOf(source.folder)
    const bytes = Math.max(2 * oldSize.allocated, indexBytes(source, source.parameters.m))
    await requireFreeSpace(dir.path, bytes, 'the new index')
    const written = await write(dir, source, await stage(), options)
    options.onStage?.('switch', 0, 1)
    return {maxSeqId: source.pending.maxSeqId, result: {...written, appliedRows: source.pending.rows}}
  })
}

async function write(
  dir: PersistDir,
  source: IndexSource,
  folder: string,
  options: StageOptions,
): Promise<WrittenSegment> {
  const {parameters, pending} = source
  const extend =
    canExtend(source, options.threads ?? availableParallelism()) && (await isSound(source, options))
  if (!extend) return writeFullIndex(dir, source, parameters, folder, options)
  if (pending.operations.length === 0) return copyIndex(dir, source, folder, options)
  return writeExtendedIndex(dir, source, folder, options)
}

/** Adding goes one element after the other on one core; a full build uses them all, on every element. */
function canExtend({header, pending}: IndexSource, threads: number): boolean {
  if (!header || header.curElementCount === 0) return false
  const changes = pending.operations.filter(({op}) => op !== 'delete').length
  return changes * threads < pending.ids.idToLabel.size
}

async function isSound({folder, parameters}: IndexSource, {signal}: StageOptions): Promise<boolean> {
  const problems = await checkIndexFiles(folder, {cosine: parameters.space === 'cosine', signal})
  return problems.length === 0
}
