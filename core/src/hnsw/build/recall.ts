import {open} from 'node:fs/promises'
import {readSync} from 'node:fs'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import type {Space} from '../../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../files.js'
import type {VectorTable} from '../distance/vector-table.js'
import type {HnswGraph} from '../graph.js'
import type {IndexElements} from './elements.js'
import {
  type Candidates,
  candidatesOf,
  candidatesOfTable,
  type Nearest,
  nearestCandidates,
} from './exact-search.js'
import {type DistancesOf, searchGraph} from './graph-search.js'

/** Neighbours per query: recall@10. */
const K = 10

/** Share of the nearest elements that searches find, up to ties. `exact` is what an exact search finds for each. */
async function shareFound(
  graph: HnswGraph,
  exact: readonly {distances: Float64Array}[],
  distancesTo: (query: number) => DistancesOf,
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

/** Some elements with what an exact search finds for them, for any number of indexes of the same elements. */
export class RecallSample {
  private constructor(
    private readonly candidates: Candidates,
    private readonly exact: readonly Nearest[],
    private readonly dimension: number,
  ) {}

  /** @param options.queries which elements; they must not be none */
  static async of(
    elements: IndexElements,
    {queries, space, ...options}: ScanOptions & {queries: readonly number[]; space: Space},
  ): Promise<RecallSample> {
    const candidates = candidatesOf(elements, queries, space)
    const rows = queries.map((_, q) => q)
    const exact = await nearestCandidates(candidates, rows, {...options, k: K})
    return new RecallSample(candidates, exact, elements.dimension)
  }

  /**
   * Searches an index for the elements of the sample, one measurement after the other.
   * The vectors of the index are read from `data_level0.bin` one by one, so that memory is that of the graph alone.
   * Returns the share (0 to 1) of the ten nearest elements that the search finds with this ef, up to ties.
   */
  async measure(
    folder: string,
    graph: HnswGraph,
    {ef, signal}: Pick<ScanOptions, 'signal'> & {ef: number},
  ): Promise<number> {
    const {offsetData, sizeDataPerElement} = graph.header
    const {candidates, exact} = this
    const {floats, others} = candidates.table
    const bytes = new Uint8Array(floats.buffer)
    const vectorBytes = 4 * this.dimension
    const handle = await open(join(folder, 'data_level0.bin'))
    try {
      // The vectors come to the places of the candidates, which are not needed any more.
      const fetch = (id: number, i: number) => {
        const row = exact.length + i
        const position = id * sizeDataPerElement + offsetData
        readSync(handle.fd, bytes, row * vectorBytes, vectorBytes, position)
        others[i] = row
      }

      const distancesTo = (q: number) => inPieces(candidates.table, q, fetch, candidates.rowsAtOnce)
      return await shareFound(graph, exact, distancesTo, {ef, signal})
    } finally {
      await handle.close()
    }
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
  const take = (id: number, i: number) => {
    table.others[i] = id
  }

  const distancesTo = (q: number) => inPieces(table, queries[q] as number, take, table.others.length)
  return shareFound(graph, exact, distancesTo, {...options, ef})
}

/** Distances to a row of a table; `fetch` puts an element into a place of its `others`, of which there are so many. */
function inPieces(
  table: VectorTable,
  row: number,
  fetch: (id: number, place: number) => void,
  places: number,
): DistancesOf {
  return (ids) => {
    const found = new Float32Array(ids.length)
    for (let from = 0; from < ids.length; from += places) {
      const piece = ids.slice(from, from + places)
      for (const [place, id] of piece.entries()) fetch(id, place)
      found.set(table.distancesTo(row, piece.length).subarray(0, piece.length), from)
    }

    return found
  }
}
