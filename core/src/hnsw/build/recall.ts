import {open} from 'node:fs/promises'
import {readSync} from 'node:fs'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import type {Space} from '../../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../files.js'
import type {VectorTable} from '../distance/vector-table.js'
import type {HnswGraph} from '../graph.js'
import type {IndexElements} from './elements.js'
import {candidatesOf, candidatesOfTable, nearestCandidates} from './exact-search.js'
import {searchGraph} from './graph-search.js'

/** Neighbours per query: recall@10. */
const K = 10

/** Share of the nearest elements that searches find, up to ties. `exact` is what an exact search finds for each. */
async function shareFound(
  graph: HnswGraph,
  exact: readonly {distances: Float64Array}[],
  distancesTo: (query: number) => (id: number) => number,
  {ef, signal}: Pick<ScanOptions, 'signal'> & {ef: number},
): Promise<number> {
  let hits = 0
  let wanted = 0
  for (const [q, {distances: nearest}] of exact.entries()) {
    const found = searchGraph(graph, distancesTo(q), {ef, k: nearest.length})
    hits += found.filter((d) => d <= (nearest.at(-1) as number)).length
    wanted += nearest.length
    await setImmediate()
    signal?.throwIfAborted()
  }

  return hits / wanted
}

/**
 * Searches an index for some of its elements, which must not be none, and compares with an exact search.
 * The vectors of the index are read from `data_level0.bin` one by one, so that memory is that of the graph alone.
 * Returns the share (0 to 1) of the ten nearest elements that the search finds with this ef, up to ties.
 */
export async function measureRecall(
  folder: string,
  graph: HnswGraph,
  elements: IndexElements,
  {ef, queries, space, ...options}: ScanOptions & {ef: number; queries: readonly number[]; space: Space},
): Promise<number> {
  const {offsetData, sizeDataPerElement} = graph.header
  const {dimension} = elements
  const candidates = candidatesOf(elements, queries, space)
  const rows = queries.map((_, q) => q)
  const exact = await nearestCandidates(candidates, rows, {...options, k: K})
  const {distance, floats} = candidates.table
  // The place of the first candidate, which is not needed any more.
  const row = queries.length
  const bytes = new Uint8Array(floats.buffer, 4 * row * dimension, 4 * dimension)
  const handle = await open(join(folder, 'data_level0.bin'))
  try {
    const distancesTo = (q: number) => (id: number) => {
      readSync(handle.fd, bytes, 0, bytes.length, id * sizeDataPerElement + offsetData)
      return distance(row, q)
    }

    return await shareFound(graph, exact, distancesTo, {...options, ef})
  } finally {
    await handle.close()
  }
}

/**
 * The same for an index whose vectors are in memory already.
 *
 * @param table row i is internal id i
 * @param live the elements that can be found
 * @param queries some of them
 */
export async function measureRecallInMemory(
  graph: HnswGraph,
  table: VectorTable,
  live: Uint32Array,
  {ef, queries, ...options}: ScanOptions & {ef: number; queries: readonly number[]},
): Promise<number> {
  const exact = await nearestCandidates(candidatesOfTable(table, live), queries, {...options, k: K})
  const distancesTo = (q: number) => (id: number) => table.distance(id, queries[q] as number)
  return shareFound(graph, exact, distancesTo, {...options, ef})
}
