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
  /** Number of lists of the new graph: an element has one on each of its levels. */
  lists: number
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
  const order = arena.allocate(Uint32Array, survivors)
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
  return {arena, job, lists: kept.length, next}
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
