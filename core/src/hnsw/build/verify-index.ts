import type {Space} from '../../catalog/hnsw-parameters.js'
import {type ChopsError, damaged} from '../../errors.js'
import type {ScanOptions} from '../files.js'
import {type HnswGraph, loadGraph} from '../graph.js'
import {type HnswHeader, readHeader} from '../header.js'
import {readNorms} from '../length.js'
import {level0Chunks} from '../level0.js'
import type {IndexElements} from './elements.js'
import {measureRecall} from './recall.js'

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

function contradiction(folder: string, what: string): ChopsError {
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

/** Whether the live rows are exactly these elements, to the byte. */
async function compareElements(header: HnswHeader, {elements, folder, onProgress, signal}: VerifyOptions) {
  const {dimension, labels, norms, vectors} = elements
  const expected = new Uint32Array(vectors.buffer, vectors.byteOffset, vectors.length)
  const expectedNorms = norms && new Uint32Array(norms.buffer, norms.byteOffset, norms.length)
  const stored = norms && (await readNorms(folder, header, {signal}))
  const storedNorms = stored && new Uint32Array(stored.buffer)
  const positions = new Positions(labels)
  const seen = new Uint8Array(labels.length)
  let live = 0
  if (dimension !== header.dimension)
    throw contradiction(folder, `has ${header.dimension} dimensions, not ${dimension}`)

  for await (const chunk of level0Chunks(folder, header, {signal})) {
    for (let row = 0; row < chunk.count; row++) {
      if (chunk.isDeleted(row)) continue
      const label = chunk.label(row)
      const position = positions.of(label)
      if (position === undefined)
        throw contradiction(folder, `has a label ${label} that does not belong there`)
      if (seen[position] !== 0) throw contradiction(folder, `has the label ${label} twice`)
      seen[position] = 1
      live += 1
      const from = chunk.vectorAt(row)
      let difference = 0
      for (let i = 0; i < dimension; i++)
        difference |= (chunk.words[from + i] as number) ^ (expected[position * dimension + i] as number)
      if (storedNorms)
        difference |= (storedNorms[chunk.firstId + row] as number) ^ (expectedNorms?.[position] as number)
      if (difference !== 0) throw contradiction(folder, `has another vector for label ${label}`)
    }

    onProgress?.(chunk.firstId + chunk.count, header.curElementCount + labels.length)
  }

  if (live !== labels.length) throw contradiction(folder, `has ${live} elements instead of ${labels.length}`)
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
  await compareElements(header, options)
  const graph = await loadGraph(folder, header, {signal})
  const onSearch = (done: number) => onProgress?.(header.curElementCount + done, total)
  const verified = await measureSample(folder, graph, elements, {...options, onProgress: onSearch})
  onProgress?.(total, total)
  return verified
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
  const count = elements.labels.length
  const affordable = Math.floor(EXACT_SEARCH_WORK / (count * elements.dimension))
  const wanted = sample ?? Math.max(SMALLEST_SAMPLE, Math.min(LARGEST_SAMPLE, affordable))
  const sampleSize = Math.min(count, wanted)
  if (sampleSize === 0) return {recall: 1, sampleSize}

  // Spread evenly, because elements that were written together tend to be alike.
  const queries = Array.from({length: sampleSize}, (_, i) => Math.floor(((i + 0.5) * count) / sampleSize))
  const recall = await measureRecall(folder, graph, elements, {ef: EF, onProgress, queries, signal, space})
  return {recall, sampleSize}
}
