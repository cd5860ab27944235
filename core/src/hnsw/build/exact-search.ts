import {setImmediate} from 'node:timers/promises'
import type {Space} from '../../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../files.js'
import {OTHERS_AT_ONCE} from '../distance/row-distances.js'
import {createTable, type VectorTable} from '../distance/vector-table.js'
import type {IndexElements} from './elements.js'

/** Multiplications between two turns of the event loop, some hundredth of a second. */
const WORK_PER_TURN = 10_000_000

/** Size of the vectors that are compared with all queries at a time: they stay in the cache of a core. */
const BLOCK_BYTES = 256 * 1024

/** What an exact search goes through, block by block. */
export interface Candidates {
  count: number
  /** Rows of the table with the candidates from a number to another; until the next call. */
  rows: (from: number, to: number) => Uint32Array
  /** Most candidates that are asked for at a time. */
  rowsAtOnce: number
  table: VectorTable
}

/** What an exact search finds for a query, nearest first. */
export interface Nearest {
  /** Numbers of the candidates. */
  candidates: Uint32Array
  distances: Float64Array
}

/** Numbers of some of `count` elements, spread evenly: neighbours in time tend to be alike. */
export function spreadEvenly(count: number, size: number): number[] {
  return Array.from({length: size}, (_, i) => Math.floor(((i + 0.5) * count) / size))
}

/** The queries' vectors in the first rows of a table, a block of all elements that moves on behind them. */
export function candidatesOf(elements: IndexElements, queries: readonly number[], space: Space): Candidates {
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

/** Some rows of a table that is in memory already. */
export function candidatesOfTable(table: VectorTable, rows: Uint32Array): Candidates {
  return {
    count: rows.length,
    rows: (from, to) => rows.subarray(from, to),
    rowsAtOnce: rowsAtOnce(rows.length, table.dimension),
    table,
  }
}

function rowsAtOnce(count: number, dimension: number): number {
  return Math.min(count, OTHERS_AT_ONCE, Math.max(1, Math.floor(BLOCK_BYTES / (4 * dimension))))
}

/**
 * The k nearest candidates to each query, found by comparing it with every one.
 *
 * @param queries rows of the table
 */
export async function nearestCandidates(
  {count, rows, rowsAtOnce: most, table}: Candidates,
  queries: readonly number[],
  {k, onProgress, signal}: ScanOptions & {k: number},
): Promise<Nearest[]> {
  const length = Math.min(k, count)
  const found = queries.map(() => ({
    candidates: new Uint32Array(length),
    distances: new Float64Array(length).fill(Infinity),
  }))
  const workOfBlock = most * table.dimension * queries.length
  for (let from = 0, work = 0; from < count; from += most) {
    const to = Math.min(count, from + most)
    const block = rows(from, to)
    table.others.set(block)
    for (const [q, nearest] of found.entries()) {
      const distances = table.distancesTo(queries[q] as number, block.length)
      for (let i = 0; i < block.length; i++) insert(nearest, from + i, distances[i] as number)
    }

    work += workOfBlock
    if (work < WORK_PER_TURN) continue
    work = 0
    onProgress?.(to, count)
    await setImmediate()
    signal?.throwIfAborted()
  }

  return found
}

/** Puts a candidate where it belongs in a list of the nearest, which stays as long as it is. */
function insert({candidates, distances}: Nearest, candidate: number, distance: number): void {
  let at = distances.length - 1
  if (!(distance < (distances[at] as number))) return
  for (; at > 0 && (distances[at - 1] as number) > distance; at--) {
    distances[at] = distances[at - 1] as number
    candidates[at] = candidates[at - 1] as number
  }

  distances[at] = distance
  candidates[at] = candidate
}
