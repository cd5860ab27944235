import {open} from 'node:fs/promises'
import {readSync} from 'node:fs'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import type {Space} from '../../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../files.js'
import type {HnswGraph} from '../graph.js'
import {distanceOf} from './distance.js'
import type {IndexElements} from './elements.js'
import {searchGraph} from './graph-search.js'

/** Neighbours per query: recall@10. */
const K = 10

/** Multiplications between two turns of the event loop, some hundredth of a second. */
const WORK_PER_TURN = 10_000_000

/** Distances of the K nearest elements to each query, nearest first, by comparing it with every element. */
async function exactDistances(
  {dimension, labels, vectors}: IndexElements,
  queries: readonly number[],
  space: Space,
  {onProgress, signal}: ScanOptions,
): Promise<Float64Array[]> {
  const distance = distanceOf(space, dimension)
  const count = labels.length
  const nearest = queries.map(() => new Float64Array(Math.min(K, count)).fill(Infinity))
  const elementsPerTurn = Math.ceil(WORK_PER_TURN / (dimension * queries.length))
  for (let i = 0; i < count; i++) {
    for (const [q, query] of queries.entries()) {
      const list = nearest[q] as Float64Array
      const d = distance(vectors, i * dimension, vectors, query * dimension)
      if (!(d < (list.at(-1) as number))) continue
      let at = list.length - 1
      for (; at > 0 && (list[at - 1] as number) > d; at--) list[at] = list[at - 1] as number
      list[at] = d
    }

    if (i % elementsPerTurn === elementsPerTurn - 1) {
      onProgress?.(i + 1, count)
      await setImmediate()
      signal?.throwIfAborted()
    }
  }

  return nearest
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
  const {dimension, vectors} = elements
  const distance = distanceOf(space, dimension)
  const exact = await exactDistances(elements, queries, space, options)
  const row = new Float32Array(dimension)
  const bytes = new Uint8Array(row.buffer)
  const handle = await open(join(folder, 'data_level0.bin'))
  let hits = 0
  let wanted = 0
  try {
    for (const [q, query] of queries.entries()) {
      const distanceTo = (id: number) => {
        readSync(handle.fd, bytes, 0, bytes.length, id * sizeDataPerElement + offsetData)
        return distance(row, 0, vectors, query * dimension)
      }

      const nearest = exact[q] as Float64Array
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
