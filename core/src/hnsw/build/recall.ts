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

/** What a search is to be held against: the elements that it can be expected to find. */
interface Candidates {
  count: number
  /** Rows of the table with the candidates from a number to another; until the next call. */
  rows: (from: number, to: number) => Uint32Array
  /** Most candidates that are asked for at a time. */
  rowsAtOnce: number
  table: VectorTable
}

/** Distances of the K nearest candidates to each query, nearest first, by comparing it with every one. */
async function exactDistances(
  {count, rows, rowsAtOnce, table}: Candidates,
  queries: readonly number[],
  {onProgress, signal}: ScanOptions,
): Promise<Float64Array[]> {
  const {distance, shared} = table
  const nearest = queries.map(() => new Float64Array(Math.min(K, count)).fill(Infinity))
  const workOfBlock = rowsAtOnce * shared.dimension * queries.length
  for (let from = 0, work = 0; from < count; from += rowsAtOnce) {
    const to = Math.min(count, from + rowsAtOnce)
    const block = rows(from, to)
    for (const [q, list] of nearest.entries()) {
      const query = queries[q] as number
      for (let i = 0; i < block.length; i++) insert(list, distance(block[i] as number, query))
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

function rowsAtOnce(count: number, dimension: number): number {
  return Math.min(count, Math.max(1, Math.floor(BLOCK_BYTES / (4 * dimension))))
}

/** The queries' vectors in the first rows of a table, a block of candidates that moves on behind them. */
function tableOf(elements: IndexElements, queries: readonly number[], space: Space): Candidates {
  const {dimension, labels, vectors} = elements
  const count = labels.length
  const first = queries.length
  const most = rowsAtOnce(count, dimension)
  const table = createTable({dimension, rows: first + most, space})
  for (const [q, query] of queries.entries())
    table.floats.set(vectors.subarray(query * dimension, (query + 1) * dimension), q * dimension)
  const block = Uint32Array.from({length: most}, (_, i) => first + i)
  return {
    count,
    rows(from, to) {
      table.floats.set(vectors.subarray(from * dimension, to * dimension), first * dimension)
      return block.subarray(0, to - from)
    },
    rowsAtOnce: most,
    table,
  }
}

/** Share of the nearest elements that searches find, up to ties. `exact` is what an exact search finds for each. */
async function shareFound(
  graph: HnswGraph,
  exact: readonly Float64Array[],
  distancesTo: (query: number) => (id: number) => number,
  {ef, signal}: Pick<ScanOptions, 'signal'> & {ef: number},
): Promise<number> {
  let hits = 0
  let wanted = 0
  for (const [q, nearest] of exact.entries()) {
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
  const candidates = tableOf(elements, queries, space)
  const rows = queries.map((_, q) => q)
  const exact = await exactDistances(candidates, rows, options)
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
  const candidates: Candidates = {
    count: live.length,
    rows: (from, to) => live.subarray(from, to),
    rowsAtOnce: rowsAtOnce(live.length, table.shared.dimension),
    table,
  }
  const exact = await exactDistances(candidates, queries, options)
  const distancesTo = (q: number) => (id: number) => table.distance(id, queries[q] as number)
  return shareFound(graph, exact, distancesTo, {...options, ef})
}
