import type {SharedRows} from '../distance/shared-rows.js'
import type {HnswGraph} from '../graph.js'

import {headerOf} from '../build/index-files.js'
import {entryAmong, randomLevel} from '../levels.js'
import {NONE, type RepairJob} from './job.js'

export interface Elements {
  efConstruction: number
  /** Loaded on shared memory. */
  old: HnswGraph
  /** Of each element of the new graph its internal id in the old one; NONE for one that comes anew. */
  oldIds: Uint32Array
  rows: SharedRows
}

/** Sets aside what a repair works on. Elements keep their levels; those that come anew get random ones. */
export function prepareJob({efConstruction, old, oldIds, rows}: Elements): RepairJob {
  const count = oldIds.length
  const {maxM, maxM0, mult} = old.header
  const newIds = shared(Uint32Array, old.header.curElementCount).fill(NONE)
  const levels = shared(Uint8Array, count)
  const upperStart = shared(Uint32Array, count)
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
  return {
    kept: shared(Uint16Array, count + lists),
    newIds,
    next: {
      deleted: shared(Uint8Array, count),
      header,
      level0Counts: shared(Uint16Array, count),
      level0Links: shared(Uint32Array, count * maxM0),
      levels,
      upperLists: shared(Uint32Array, lists * (maxM + 1)),
      upperStart,
    },
    old,
    oldIds: shared(Uint32Array, count, oldIds),
    order: neighboursTogether(old, newIds, survivors),
    progress: shared(Int32Array, 1),
    rows,
  }
}

/** The elements that go on in the order in which a walk over level 0 of the old graph, depth first, meets them. */
function neighboursTogether(
  {header, level0Counts, level0Links}: HnswGraph,
  newIds: Uint32Array,
  survivors: number,
): Uint32Array {
  const {curElementCount, maxM0} = header
  const order = shared(Uint32Array, survivors)
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

function shared<T extends Int32Array | Uint16Array | Uint32Array | Uint8Array>(
  Type: {BYTES_PER_ELEMENT: number; new (buffer: SharedArrayBuffer): T},
  length: number,
  values?: ArrayLike<number>,
): T {
  const array = new Type(new SharedArrayBuffer(Type.BYTES_PER_ELEMENT * length))
  if (values) array.set(values)
  return array
}
