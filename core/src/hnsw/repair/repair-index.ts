import {setImmediate} from 'node:timers/promises'

import type {Space} from '../../catalog/hnsw-parameters.js'
import type {IndexElements} from '../build/elements.js'
import type {ScanOptions} from '../files.js'
import type {HnswGraph} from '../graph.js'
import type {HnswHeader} from '../header.js'

import {connectUnreachable} from '../build/connect.js'
import type {RowDistances} from '../distance/row-distances.js'
import {openRows, shareRows} from '../distance/shared-rows.js'
import {Inserter} from './insert.js'
import {NONE, type RepairJob} from './job.js'
import {collectIncoming} from './mutual.js'
import {prepareJob} from './prepare.js'
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
  /** The graph there is, loaded on shared memory. It is only read; its deleted marks do not count. */
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
 * Most memory that `repairIndex` takes besides the vectors it is given, in bytes: their copy in shared memory, both graphs,
 * and the new links of the first step, of which there are at most as many as links.
 */
export function repairMemory(
  {curElementCount, maxM, maxM0}: HnswHeader,
  count: number,
  dimension: number,
): number {
  const graph = 4 * maxM0 + (4 * maxM) / Math.max(1, maxM - 1) + 32
  return Math.ceil(4 * count * dimension + (curElementCount + 2 * count) * graph)
}

/**
 * Makes the index of some elements out of the graph there is, as the four files of a segment folder, which `syncIndex`
 * syncs: whatever is not among the elements goes, what linked to it gets links to what lies behind, and elements that
 * come anew are inserted. The elements get internal ids in their order, and vectors and norms get there to the byte.
 * Every element can be found afterwards, see `connectUnreachable`. See docs/graph-repair.md.
 * Memory: `repairMemory`. `onProgress` counts elements, each twice.
 *
 * @throws RangeError when none of the elements is in the old graph, or the machine does not have the memory
 */
export async function repairIndex(options: RepairOptions): Promise<HnswHeader> {
  const {oldIds, onProgress, outDir, signal} = options
  const total = 2 * oldIds.length
  const {job, rows} = await relink(options, (done) => onProgress?.(done, total))
  await insertAll(job, rows, options, (done) => onProgress?.(2 * job.order.length + 2 * done, total))
  await writeGraph(outDir, job.next, options.elements, {signal})
  await connectUnreachable(outDir, job.next, {signal})
  onProgress?.(total, total)
  return job.next.header
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
): Promise<{job: RepairJob; rows: RowDistances}> {
  try {
    const {dimension, vectors} = elements
    const shape = {dimension, mostRivals: old.header.maxM0, rows: oldIds.length, space, threads: team.threads}
    const shared = shareRows(shape, vectors, isRounded)
    const job = prepareJob({efConstruction, old, oldIds, rows: shared})
    if (job.order.length === 0) throw new RangeError('no element of the old graph is left')
    team.open(job)
    const rows = openRows(shared, 0)
    await team.run(job, rows, {kind: 'choose'}, onProgress)
    const incoming = collectIncoming(job)
    await team.run(job, rows, {incoming, kind: 'link'}, (done) => onProgress(job.order.length + done))
    return {job, rows}
  } finally {
    await team.stop()
  }
}

async function insertAll(
  {next, oldIds}: RepairJob,
  rows: RowDistances,
  {signal}: RepairOptions,
  onProgress: (done: number) => void,
): Promise<void> {
  const inserter = new Inserter(next, rows)
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
