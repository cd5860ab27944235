import type {Arena} from '../kernel/memory.js'
import {arenaBehind, type SharedRows} from '../distance/shared-rows.js'
import type {HnswGraph} from '../graph.js'

import {headerOf} from '../build/index-files.js'
import {entryAmong, randomLevel} from '../levels.js'
import {NONE, type RepairJob} from './job.js'

export interface Elements {
  efConstruction: number
  old: HnswGraph
  /** Of each element of the new graph its internal id in the old one; NONE for one that comes anew. */
  oldIds: Uint32Array
  rows: SharedRows
}

export interface PreparedRepair {
  /** Behind everything that is in the memory of the rows. */
  arena: Arena
  job: RepairJob
  /** By list of the new graph (see `LinkLists`), how many of its links the old graph had as well; they come first. */
  kept: Uint16Array
  /** The graph in the making: its elements, without lists at first. It lies in the memory of the rows. */
  next: HnswGraph
}

/**
 * Sets aside what a repair works on, in the memory of the rows. Elements keep their levels; those that come anew get
 * random ones.
 *
 * @throws KernelMemoryError when that memory cannot grow as far
 */
export function prepareRepair({efConstruction, old, oldIds, rows}: Elements): PreparedRepair {
  const arena = arenaBehind(rows)
  const count = oldIds.length
  const {curElementCount, maxM, maxM0, mult} = old.header
  const newIds = arena.allocate(Uint32Array, curElementCount).fill(NONE)
  const levels = arena.allocate(Uint8Array, count)
  const upperStart = arena.allocate(Uint32Array, count)
  let lists = 0
  let survivors = 0
  for (const [id, oldId] of oldIds.entries()) {
    if (oldId === NONE) levels[id] = randomLevel(mult)
    else {
      newIds[oldId] = id
      levels[id] = old.levels[oldId] as number
      survivors += 1
    }

    upperStart[id] = lists
    lists += levels[id] as number
  }

  const header = headerOf({
    ...old.header,
    ...entryAmong(levels, (id) => oldIds[id] !== NONE),
    curElementCount: count,
    efConstruction,
    maxElements: count,
  })
  const next: HnswGraph = {
    deleted: new Uint8Array(count),
    header,
    level0Counts: arena.allocate(Uint16Array, count),
    level0Links: arena.allocate(Uint32Array, count * maxM0),
    levels,
    upperLists: arena.allocate(Uint32Array, lists * (maxM + 1)),
    upperStart,
  }
  const kept = arena.allocate(Uint16Array, count + lists)
  const order = neighboursTogether(old, newIds, arena.allocate(Uint32Array, survivors))
  const job: RepairJob = {
    elements: survivors,
    lists: addressOf(
      arena,
      [newIds, arena.copy(oldIds), kept, order].map(({byteOffset}) => byteOffset),
    ),
    next: addressOfGraph(arena, next),
    old: addressOfGraph(arena, {
      ...old,
      level0Counts: arena.copy(old.level0Counts),
      level0Links: arena.copy(old.level0Links),
      levels: arena.copy(old.levels),
      upperLists: arena.copy(old.upperLists),
      upperStart: arena.copy(old.upperStart),
    }),
    progress: new Int32Array(new SharedArrayBuffer(4)),
    rows,
  }
  return {arena, job, kept, next}
}

/** Puts numbers into memory; the kernel knows their meaning from their order. */
function addressOf(arena: Arena, numbers: readonly number[]): number {
  return arena.copy(Uint32Array.from(numbers)).byteOffset
}

/** Describes a graph to the kernel: `Graph` of core/wasm/repair. */
function addressOfGraph(arena: Arena, graph: HnswGraph): number {
  const {curElementCount, maxM, maxM0} = graph.header
  const {level0Counts, level0Links, levels, upperLists, upperStart} = graph
  const arrays = [levels, level0Counts, level0Links, upperLists, upperStart]
  return addressOf(arena, [curElementCount, maxM, maxM0, ...arrays.map(({byteOffset}) => byteOffset)])
}

/** Fills `order` with the elements that go on, as a walk over level 0 of the old graph, depth first, meets them. */
function neighboursTogether(
  {header, level0Counts, level0Links}: HnswGraph,
  newIds: Uint32Array,
  order: Uint32Array,
): Uint32Array {
  const {curElementCount, maxM0} = header
  const seen = new Uint8Array(curElementCount)
  const stack = new Uint32Array(curElementCount)
  let height = 0
  let ordered = 0
  const push = (oldId: number) => {
    if (seen[oldId] !== 0) return
    seen[oldId] = 1
    stack[height++] = oldId
  }

  for (let first = 0; first < curElementCount; first++) {
    push(first)
    while (height > 0) {
      const oldId = stack[--height] as number
      const id = newIds[oldId] as number
      if (id !== NONE) order[ordered++] = id
      const from = oldId * maxM0
      for (let i = from + (level0Counts[oldId] as number) - 1; i >= from; i--) push(level0Links[i] as number)
    }
  }

  return order
}
