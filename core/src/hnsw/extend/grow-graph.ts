import type {HnswGraph} from '../graph.js'

import {randomLevel} from '../levels.js'

/** The same graph with room for more elements behind its own, which have random levels and no links yet. */
export function growGraph(graph: HnswGraph, added: number): HnswGraph {
  const {curElementCount, maxM, maxM0, mult} = graph.header
  const total = curElementCount + added
  const levels = grown(graph.levels, total)
  const upperStart = grown(graph.upperStart, total)
  let lists = graph.upperLists.length / (maxM + 1)
  for (let id = curElementCount; id < total; id++) {
    const level = randomLevel(mult)
    levels[id] = level
    upperStart[id] = lists
    lists += level
  }

  return {
    deleted: grown(graph.deleted, total),
    header: {...graph.header, curElementCount: total},
    level0Counts: grown(graph.level0Counts, total),
    level0Links: grown(graph.level0Links, total * maxM0),
    levels,
    upperLists: grown(graph.upperLists, lists * (maxM + 1)),
    upperStart,
  }
}

/** A copy with zeros behind. */
export function grown<T extends Float32Array | Uint16Array | Uint32Array | Uint8Array>(
  values: T,
  length: number,
): T {
  const Type = values.constructor as new (length: number) => T
  const larger = new Type(length)
  larger.set(values)
  return larger
}
