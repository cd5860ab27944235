import {setImmediate} from 'node:timers/promises'

import type {Space} from '../../catalog/hnsw-parameters.js'
import type {IndexElements} from '../build/elements.js'
import type {ScanOptions} from '../files.js'
import type {HnswGraph} from '../graph.js'
import type {HnswHeader} from '../header.js'

import {connectUnreachable} from '../build/connect.js'
import {openRows, shareRows} from '../distance/shared-rows.js'
import {Inserter} from '../insert/inserter.js'
import {NONE, type RepairJob} from './job.js'
import {collectIncoming} from './incoming.js'
import {type PreparedRepair, prepareRepair} from './prepare.js'
import {repairKernel} from './steps.js'
import {RepairTeam} from './team.js'
import {writeGraph} from './write-graph.js'

/** Elements that are inserted between two turns of the event loop: some tens of milliseconds. */
const INSERTED_PER_TURN = 32

export interface RepairOptions extends ScanOptions {
  efConstruction: number
  /** What the new index holds, as its space stores it. */
  elements: IndexElements
  /** Compare vectors that are rounded to 16 bits, see `roundVectors`; the index holds them to the byte in any case. */
  isRounded?: boolean
  /** The graph there is. It is only read; its deleted marks do not count. */
  old: HnswGraph
  /** Of each element its internal id in the old index, in which its vector is the same; NONE for one that comes anew. */
  oldIds: Uint32Array
  /** Folder for the new index, which must not have one yet. */
  outDir: string
  space: Space
  /** One for so many elements, which has started; it is stopped when it has done its work. */
  team?: RepairTeam | undefined
  /** Without a team; all cores without it. */
  threads?: number | undefined
}

/**
 * Most memory that `repairIndex` and the old graph take besides the vectors it is given, in bytes: a copy of them, the old
 * graph twice, the new one with links back, of which there are at most as many as links, and room for each step.
 */
export function repairMemory(
  {curElementCount, maxM, maxM0}: HnswHeader,
  count: number,
  dimension: number,
  threads: number,
): number {
  const graph = 4 * maxM0 + (4 * maxM) / Math.max(1, maxM - 1) + 32
  const room = 4 * curElementCount + 16 * (maxM0 + 128) ** 2
  const order = 5 * curElementCount
  return Math.ceil(4 * count * dimension + 2 * (curElementCount + count) * graph + order + threads * room)
}

/**
 * Makes the index of some elements out of the graph there is, as the four files of a segment folder, which `syncIndex`
 * syncs: whatever is not among the elements goes, what linked to it gets links to what lies behind, and elements that
 * come anew are inserted. The elements get internal ids in their order, and vectors and norms get there to the byte.
 * Every element can be found afterwards, see `connectUnreachable`. See docs/graph-repair.md.
 * Memory: `repairMemory`. `onProgress` counts elements, each twice.
 *
 * @throws RangeError when none of the elements is in the old graph
 * @throws KernelMemoryError when WebAssembly gets less memory than that
 */
export async function repairIndex(options: RepairOptions): Promise<HnswHeader> {
  const {oldIds, onProgress, outDir, signal} = options
  const total = 2 * oldIds.length
  const {job, next} = await relink(options, (done) => onProgress?.(done, total))
  await insertAll(next, job, options, (done) => onProgress?.(2 * (job.elements + done), total))
  await writeGraph(outDir, next, options.elements, {signal})
  await connectUnreachable(outDir, next, {signal})
  onProgress?.(total, total)
  return next.header
}

/** The new graph without the elements that come anew. */
async function relink(
  {
    efConstruction,
    elements,
    isRounded = true,
    old,
    oldIds,
    signal,
    space,
    threads,
    team = new RepairTeam(oldIds.length, {signal, threads}),
  }: RepairOptions,
  onProgress: (done: number) => void,
): Promise<PreparedRepair> {
  try {
    const {dimension, vectors} = elements
    const shape = {dimension, mostRivals: old.header.maxM0, rows: oldIds.length, space}
    const rows = shareRows(shape, vectors, isRounded)
    const prepared = prepareRepair({efConstruction, old, oldIds, rows})
    const {arena, job} = prepared
    if (job.elements === 0) throw new RangeError('no element of the old graph is left')
    team.open(job)
    const kernel = repairKernel(job)
    kernel.orderElements(arena.allocate(Uint8Array, kernel.bytesToOrder()).byteOffset)
    const rooms = (roomSize: number) => ({
      rooms: arena.allocate(Uint8Array, roomSize * team.threads).byteOffset,
      roomSize,
    })
    await team.run(kernel, job, {kind: 'choose', ...rooms(kernel.bytesToChoose())}, onProgress)
    const incoming = collectIncoming(kernel, prepared)
    const links = {incoming, kind: 'link', ...rooms(kernel.bytesToLink(incoming.most))} as const
    await team.run(kernel, job, links, (done) => onProgress(job.elements + done))
    return prepared
  } finally {
    await team.stop()
  }
}

async function insertAll(
  next: HnswGraph,
  {elements, rows}: RepairJob,
  {oldIds, signal}: RepairOptions,
  onProgress: (done: number) => void,
): Promise<void> {
  if (elements === oldIds.length) return
  const inserter = new Inserter(next, openRows(rows))
  let done = 0
  for (const [id, oldId] of oldIds.entries()) {
    if (oldId !== NONE) continue
    inserter.insert(id)
    done += 1
    if (done % INSERTED_PER_TURN !== 0) continue
    onProgress(done)
    await setImmediate()
    signal?.throwIfAborted()
  }
}
