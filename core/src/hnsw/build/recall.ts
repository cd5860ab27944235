import {open} from 'node:fs/promises'
import {readSync} from 'node:fs'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import type {Space} from '../../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../files.js'
import {createTable, type VectorTable} from '../distance/vector-table.js'
import type {HnswGraph} from '../graph.js'
import type {IndexElements} from './elements.js'
import {searchGraph} from './graph-search.js'

/** Neighbours per query: recall@10. */
const K = 10

/** Multiplications between two turns of the event loop, some hundredth of a second. */
const WORK_PER_TURN = 10_000_000

/** Size of the vectors that are compared with all queries at a time: they stay in the cache of a core. */
const BLOCK_BYTES = 256 * 1024

/** The sample's vectors in the first rows of a table, and room for others behind them. */
function tableOf(
  {dimension, vectors}: IndexElements,
  queries: readonly number[],
  space: Space,
  room: number,
): VectorTable {
  const table = createTable({dimension, rows: queries.length + room, space})
  for (const [q, query] of queries.entries())
    table.floats.set(vectors.subarray(query * dimension, (query + 1) * dimension), q * dimension)
  return table
}

/** Distances of the K nearest elements to each query, nearest first, by comparing it with every element. */
async function exactDistances(
  elements: IndexElements,
  queries: readonly number[],
  space: Space,
  {onProgress, signal}: ScanOptions,
): Promise<Float64Array[]> {
  const {dimension, labels, vectors} = elements
  const count = labels.length
  const blockRows = Math.min(count, Math.max(1, Math.floor(BLOCK_BYTES / (4 * dimension))))
  const {distance, floats} = tableOf(elements, queries, space, blockRows)
  const first = queries.length
  const nearest = queries.map(() => new Float64Array(Math.min(K, count)).fill(Infinity))
  const workOfBlock = blockRows * dimension * queries.length
  for (let from = 0, work = 0; from < count; from += blockRows) {
    const to = Math.min(count, from + blockRows)
    floats.set(vectors.subarray(from * dimension, to * dimension), first * dimension)
    for (const [q, list] of nearest.entries()) {
      for (let row = first; row < first + to - from; row++) insert(list, distance(row, q))
    }

    work += workOfBlock
    if (work < WORK_PER_TURN) continue
    work = 0
    onProgress?.(to, count)
    await setImmediate()
    signal?.throwIfAborted()
  }

  return nearest
}

/** Puts a distance where it belongs in a list of the smallest, which stays as long as it is. */
function insert(list: Float64Array, distance: number): void {
  let at = list.length - 1
  if (!(distance < (list[at] as number))) return
  for (; at > 0 && (list[at - 1] as number) > distance; at--) list[at] = list[at - 1] as number
  list[at] = distance
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
  const exact = await exactDistances(elements, queries, space, options)
  const {distance, floats} = tableOf(elements, queries, space, 1)
  const row = queries.length
  const bytes = new Uint8Array(floats.buffer, 4 * row * dimension, 4 * dimension)
  const handle = await open(join(folder, 'data_level0.bin'))
  let hits = 0
  let wanted = 0
  try {
    for (const [q, nearest] of exact.entries()) {
      const distanceTo = (id: number) => {
        readSync(handle.fd, bytes, 0, bytes.length, id * sizeDataPerElement + offsetData)
        return distance(row, q)
      }

      const found = searchGraph(graph, distanceTo, {ef, k: nearest.length})
      hits += found.filter((d) => d <= (nearest.at(-1) as number)).length
      wanted += nearest.length
      await setImmediate()
      options.signal?.throwIfAborted()
    }
  } finally {
    await handle.close()
  }

  return hits / wanted
}
