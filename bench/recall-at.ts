import type {IndexElements} from '../core/src/hnsw/build/elements.js'
import {spreadEvenly} from '../core/src/hnsw/build/exact-search.js'
import {measureRecall} from '../core/src/hnsw/build/recall.js'
import {loadGraph} from '../core/src/hnsw/graph.js'
import {readHeader} from '../core/src/hnsw/header.js'

const QUERIES = 1000

/** recall@10 of a cosine index with this ef, of elements that are spread evenly. */
export async function recallAt(folder: string, elements: IndexElements, ef: number): Promise<number> {
  const graph = await loadGraph(folder, await readHeader(folder))
  const queries = spreadEvenly(elements.labels.length, QUERIES)
  return measureRecall(folder, graph, elements, {ef, queries, space: 'cosine'})
}
