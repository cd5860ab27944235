import type {Collection} from '../catalog/catalog.js'
import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {vectorSegmentOf} from '../catalog/catalog.js'
import {writeHnswParameters} from '../catalog/write-hnsw-parameters.js'
import {requireFreeSpace} from '../change/disk-space.js'
import {type SwitchedIndex, switchIndex} from '../change/index-switch.js'
import {type IndexSource, readIndexSource} from './source.js'
import {chooseMethod, type MethodChoice, type MethodOptions} from './method.js'
import {type RebuiltSegment, writeRebuiltIndex} from './write-rebuilt.js'
import {estimateMemory, requireMemory} from './memory.js'
import {readNewElements, type StageOptions} from './write-segment.js'

export interface RebuildOptions extends MethodOptions, StageOptions {
  /** Keep the old folder as a backup. */
  backup: boolean
  /** Parameters that are to differ from today's. */
  changes?: Partial<HnswParameters>
}

export type RebuiltIndex = SwitchedIndex<RebuiltSegment & {appliedRows: number}>

/** What the build library and the four files need for one element besides its vector, in bytes, generously. */
const GRAPH_BYTES_PER_LINK = 4

/**
 * Makes the index of a collection anew, from its live vectors, its pending log and the links that are still good, and puts
 * it in force.
 *
 * @param dir opened for writing
 * @returns undefined when the collection has no vector at all: then only its parameters are changed, with which the engine
 * is going to make its first index
 * @throws ChopsError `damaged` when the vectors or the log cannot be read, or the memory or the disk has no room; nothing
 * is changed then
 */
export async function rebuildIndex(
  dir: PersistDir,
  owner: Pick<Collection, 'id'>,
  options: RebuildOptions,
): Promise<RebuiltIndex | undefined> {
  const changes = options.changes ?? {}
  const switchOptions = {
    backup: options.backup,
    inTransaction: (segmentId: string) => writeHnswParameters(dir, owner, segmentId, changes),
  }
  return switchIndex(dir, owner, switchOptions, async (stage, collection) => {
    requireMemory((await estimateMemory(dir, collection, {m: changes.m})).full, options.maxMemory)
    const source = await readIndexSource(dir, collection, {signal: options.signal})
    if (!source) {
      await writeHnswParameters(dir, owner, vectorSegmentOf(dir, collection).id, changes)
      return
    }

    const parameters = {...source.parameters, ...changes}
    await requireFreeSpace(dir.path, indexBytes(source, parameters.m), 'the new index')
    const written = await writeRebuiltIndex(dir, source, parameters, await stage(), options)
    options.onStage?.('switch', 0, 1)
    return {maxSeqId: source.pending.maxSeqId, result: {...written, appliedRows: source.pending.rows}}
  })
}

/**
 * How `rebuildIndex` is going to make the new index, as far as that shows without reading the old graph.
 *
 * @returns undefined when the collection has no vector at all
 * @throws ChopsError `damaged` when the ids or the log cannot be read or there is not enough memory, `usage` when the method asked for is impossible
 */
export async function planMethod(
  dir: PersistDir,
  collection: Collection,
  {changes = {}, maxMemory, signal, ...options}: Omit<RebuildOptions, 'backup'>,
): Promise<(MethodChoice & {memoryBytes: number}) | undefined> {
  const {full: memoryBytes} = await estimateMemory(dir, collection, {m: changes.m})
  requireMemory(memoryBytes, maxMemory)
  const source = await readIndexSource(dir, collection, {signal})
  return source && {...chooseMethod(source, {...source.parameters, ...changes}, options), memoryBytes}
}

/**
 * Reads everything that a new index would be made from, to know before anything is promised that it can be made.
 * Memory: as a rebuild, without its graph.
 *
 * @throws ChopsError `damaged` as `rebuildIndex` would
 */
export async function requireRebuildable(
  dir: PersistDir,
  collection: Collection,
  changes: Partial<HnswParameters>,
  options: StageOptions = {},
): Promise<void> {
  const source = await readIndexSource(dir, collection, {signal: options.signal})
  if (source) await readNewElements(source, {...source.parameters, ...changes}, options)
}

/** Disk space of a new index while it is built: its files, and the build library's own file beside them. */
export function indexBytes({dimension, pending}: IndexSource, m: number): number {
  const row = 4 * dimension + 2 * m * GRAPH_BYTES_PER_LINK + 16
  return 2 * pending.ids.idToLabel.size * row
}
