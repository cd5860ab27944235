import type {IndexElements} from '../core/src/hnsw/build/elements.js'
import {spreadEvenly} from '../core/src/hnsw/build/exact-search.js'
import {RecallSample} from '../core/src/hnsw/build/recall.js'
import {loadGraph} from '../core/src/hnsw/graph.js'
import {readHeader} from '../core/src/hnsw/header.js'

const QUERIES = 1000

/** Elements of a cosine index that are spread evenly, to be searched for. */
export async function recallSample(elements: IndexElements): Promise<RecallSample> {
  const queries = spreadEvenly(elements.labels.length, QUERIES)
  return RecallSample.of(elements, {queries, space: 'cosine'})
}

/** recall@10 of an index of the sample's elements with each of these ef. */
export async function recallsAt(
  sample: RecallSample,
  folder: string,
  efs: readonly number[],
): Promise<number[]> {
  const graph = await loadGraph(folder, await readHeader(folder))
  const recalls: number[] = []
  for (const ef of efs) recalls.push(await sample.measure(folder, graph, {ef}))
  return recalls
}
