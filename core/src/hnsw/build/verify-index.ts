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
import {measureRecall, measureRecallInMemory} from './recall.js'

/** Length of the list with which the index is searched. */
const EF = 100

const LARGEST_SAMPLE = 100

const SMALLEST_SAMPLE = 10

/** Multiplications that the exact search of the sample may take: some tenths of a second, but for the smallest sample. */
const EXACT_SEARCH_WORK = 2e8

export interface VerifyOptions extends ScanOptions {
  /** Every live element that the index has to hold, as its space stores them. */
  elements: IndexElements
  folder: string
  /** Number of elements to search for; by default what takes some tenths of a second. */
  sample?: number
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
 * The recall of an index that was just written, on the largest sample, for when it was found to be low: a small sample, as
 * a large index has, may have met a few elements that are hard to find.
 */
export async function confirmRecall(
  verified: VerifiedIndex,
  {elements, folder, signal, space}: VerifyOptions,
): Promise<VerifiedIndex> {
  const sample = Math.min(LARGEST_SAMPLE, elements.labels.length)
  if (verified.sampleSize >= sample) return verified
  const graph = await loadGraph(folder, await readHeader(folder), {signal})
  return measureSample(folder, graph, elements, {sample, signal, space})
}

/**
 * How good a search in a graph is, for a sample of the elements themselves. `onProgress` counts elements.
 *
 * @param folder has the vectors of the graph
 * @param elements what a search can be expected to find, see `measureRecall`
 */
export async function measureSample(
  folder: string,
  graph: HnswGraph,
  elements: IndexElements,
  {onProgress, sample, signal, space}: Pick<VerifyOptions, 'sample' | 'space'> & ScanOptions,
): Promise<VerifiedIndex> {
  const queries = sampleOf(elements.labels.length, elements.dimension, sample)
  if (queries.length === 0) return {recall: 1, sampleSize: 0}
  const recall = await measureRecall(folder, graph, elements, {ef: EF, onProgress, queries, signal, space})
  return {recall, sampleSize: queries.length}
}

/** The same for a graph whose vectors are in memory, see `measureRecallInMemory`. */
export async function measureSampleInMemory(
  graph: HnswGraph,
  table: VectorTable,
  live: Uint32Array,
  options: ScanOptions,
): Promise<VerifiedIndex> {
  const queries = sampleOf(live.length, graph.header.dimension).map((i) => live[i] as number)
  if (queries.length === 0) return {recall: 1, sampleSize: 0}
  const recall = await measureRecallInMemory(graph, table, live, {...options, ef: EF, queries})
  return {recall, sampleSize: queries.length}
}

/** As many of `count` elements as an exact search can afford. */
function sampleOf(count: number, dimension: number, sample?: number): number[] {
  const affordable = Math.floor(EXACT_SEARCH_WORK / (count * dimension))
  const wanted = sample ?? Math.max(SMALLEST_SAMPLE, Math.min(LARGEST_SAMPLE, affordable))
  return spreadEvenly(count, Math.min(count, wanted))
}
