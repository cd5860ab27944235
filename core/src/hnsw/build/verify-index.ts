import type {Space} from '../../catalog/hnsw-parameters.js'
import {type ChopsError, damaged} from '../../errors.js'
import type {VectorTable} from '../distance/vector-table.js'
import type {ScanOptions} from '../files.js'
import {type HnswGraph, loadGraph} from '../graph.js'
import {readHeader} from '../header.js'
import {readNorms} from '../length.js'
import type {Level0Chunk} from '../level0.js'
import type {IndexElements} from './elements.js'
import {spreadEvenly} from './exact-search.js'
import {measureRecallInMemory, RecallSample} from './recall.js'

/** Length of the list with which the index is searched. */
const EF = 100

/** Of an index that is large, it takes seconds. */
export const LARGEST_SAMPLE = 100

const SMALLEST_SAMPLE = 10

/** Multiplications that the exact search of the sample may take: some tenths of a second, but for the smallest sample. */
const EXACT_SEARCH_WORK = 2e8

export interface SampleOptions {
  /** Where less is found, the largest sample decides: a small one may have met a few elements that are hard to find. */
  enough?: number | undefined
  /** Number of elements to search for; by default what takes some tenths of a second. */
  sample?: number | undefined
}

export interface VerifyOptions extends SampleOptions, ScanOptions {
  /** Every live element that the index has to hold, as its space stores them. */
  elements: IndexElements
  folder: string
  space: Space
}

export interface VerifiedIndex {
  /** Share (0 to 1) of the ten nearest elements that a search with ef 100 finds; 1 for an empty index. */
  recall: number
  sampleSize: number
}

export function contradiction(folder: string, what: string): ChopsError {
  return damaged(`The new index in ${folder} ${what}; nothing was changed.`, {
    file: folder,
    next: 'Try again. If it happens again, the disk or the memory of this machine is faulty.',
  })
}

/** Finds an element by its label. Memory: 12 bytes for each, or four when the labels ascend. */
class Positions {
  private readonly order: Uint32Array
  private readonly sorted: IndexElements['labels']

  constructor(labels: IndexElements['labels']) {
    this.order = Uint32Array.from({length: labels.length}, (_, i) => i)
    this.sorted = labels
    for (let i = 1; i < labels.length; i++) {
      if ((labels[i] as number) > (labels[i - 1] as number)) continue
      this.order.sort((a, b) => (labels[a] as number) - (labels[b] as number))
      this.sorted = Float64Array.from(this.order, (position) => labels[position] as number)
      return
    }
  }

  of(label: number): number | undefined {
    let low = 0
    let high = this.sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.sorted[middle] as number) < label) low = middle + 1
      else high = middle
    }

    return this.sorted[low] === label ? this.order[low] : undefined
  }
}

/** Holds the rows of an index, as they pass by, against the elements that it has to have, to the byte. */
class ElementComparison {
  private live = 0
  private readonly positions: Positions
  private readonly seen: Uint8Array

  constructor(
    private readonly folder: string,
    private readonly elements: IndexElements,
    private readonly storedNorms: Float32Array | undefined,
  ) {
    this.positions = new Positions(elements.labels)
    this.seen = new Uint8Array(elements.labels.length)
  }

  compare(chunk: Level0Chunk): void {
    const {folder, positions, seen} = this
    for (let row = 0; row < chunk.count; row++) {
      if (chunk.isDeleted(row)) continue
      const label = chunk.label(row)
      const position = positions.of(label)
      if (position === undefined)
        throw contradiction(folder, `has a label ${label} that does not belong there`)
      if (seen[position] !== 0) throw contradiction(folder, `has the label ${label} twice`)
      seen[position] = 1
      this.live += 1
      if (!this.isEqual(chunk, row, position))
        throw contradiction(folder, `has another vector for label ${label}`)
    }
  }

  /** To be called after the last row. */
  expectAll(): void {
    const count = this.elements.labels.length
    if (this.live !== count) throw contradiction(this.folder, `has ${this.live} elements instead of ${count}`)
  }

  private isEqual(chunk: Level0Chunk, row: number, position: number): boolean {
    const {dimension, norms, vectors} = this.elements
    const at = 4 * position * dimension
    const expected = Buffer.from(vectors.buffer, vectors.byteOffset + at, 4 * dimension)
    if (!chunk.hasVector(row, expected)) return false
    return !norms || Object.is(this.storedNorms?.[chunk.firstId + row], norms[position])
  }
}

/**
 * Checks an index that was just written, reading it from the disk: that its live elements are exactly the given ones,
 * each once, with vectors and norms equal to the byte; that its links are sound (H9 to H11); and how good a search in
 * it is. Loads no native library. Memory: the graph and about 30 bytes for each element.
 *
 * @throws ChopsError `damaged` for the first thing that is wrong
 */
export async function verifyIndex(options: VerifyOptions): Promise<VerifiedIndex> {
  const {elements, folder, onProgress, signal} = options
  const count = elements.labels.length
  const header = await readHeader(folder)
  const total = header.curElementCount + count
  if (elements.dimension !== header.dimension)
    throw contradiction(folder, `has ${header.dimension} dimensions, not ${elements.dimension}`)
  const norms = elements.norms && (await readNorms(folder, header, {signal}))
  const comparison = new ElementComparison(folder, elements, norms)
  const graph = await loadGraph(folder, header, {
    onRows(chunk) {
      comparison.compare(chunk)
      onProgress?.(chunk.firstId + chunk.count, total)
    },
    signal,
  })
  comparison.expectAll()
  const onSearch = (done: number) => onProgress?.(header.curElementCount + done, total)
  const verified = await measureSample(folder, graph, elements, {...options, onProgress: onSearch})
  onProgress?.(total, total)
  return verified
}

/**
 * How good a search in a graph is, for a sample of the elements themselves. `onProgress` counts elements.
 *
 * @param folder has the vectors of the graph
 * @param elements what a search can be expected to find, see `RecallSample`
 */
export async function measureSample(
  folder: string,
  graph: HnswGraph,
  elements: IndexElements,
  {enough, sample, ...options}: SampleOptions & ScanOptions & {space: Space},
): Promise<VerifiedIndex> {
  const {dimension, labels} = elements
  return measure(labels.length, dimension, {enough, sample}, async (queries) => {
    const searched = await RecallSample.of(elements, {...options, queries})
    return searched.measure(folder, graph, {ef: EF, signal: options.signal})
  })
}

/** The same for a graph whose vectors are in memory, see `measureRecallInMemory`. */
export async function measureSampleInMemory(
  graph: HnswGraph,
  table: VectorTable,
  live: Uint32Array,
  {enough, sample, ...options}: SampleOptions & ScanOptions,
): Promise<VerifiedIndex> {
  return measure(live.length, graph.header.dimension, {enough, sample}, (positions) => {
    const queries = positions.map((i) => live[i] as number)
    return measureRecallInMemory(graph, table, live, {...options, ef: EF, queries})
  })
}

async function measure(
  count: number,
  dimension: number,
  {enough = 0, sample}: SampleOptions,
  recallOf: (queries: number[]) => Promise<number>,
): Promise<VerifiedIndex> {
  const affordable = Math.floor(EXACT_SEARCH_WORK / (count * dimension))
  const first = sample ?? Math.max(SMALLEST_SAMPLE, Math.min(LARGEST_SAMPLE, affordable))
  let verified = {recall: 1, sampleSize: 0}
  for (const size of [first, LARGEST_SAMPLE]) {
    const sampleSize = Math.min(count, size)
    if (sampleSize <= verified.sampleSize) break
    verified = {recall: await recallOf(spreadEvenly(count, sampleSize)), sampleSize}
    if (verified.recall >= enough) break
  }

  return verified
}
