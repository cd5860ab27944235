import type {SampleOptions, VerifiedIndex} from '../build/verify-index.js'
import type {NetOperations} from '../build/operations.js'
import type {IndexFile, ScanOptions} from '../files.js'
import type {HnswHeader} from '../header.js'
import type {IndexImage} from './index-image.js'

import {contradiction, measureSampleInMemory} from '../build/verify-index.js'
import {openIndexFile} from '../files.js'
import {loadGraph} from '../graph.js'
import {readHeader} from '../header.js'
import {Level0Chunk} from '../level0.js'
import {readNorms} from '../length.js'

export interface ExtendedOptions extends Pick<SampleOptions, 'enough'>, ScanOptions {
  /** The new index in memory, for the vectors of the searches alone. */
  image: IndexImage
  /** Labels that the new index has to have alive, each once. */
  labels: Iterable<number>
  newFolder: string
  oldFolder: string
  operations: NetOperations
}

/** Holds the rows of an extended index, as they pass by, against the files of the old one and against the operations. */
class ExtensionComparison {
  readonly live: number[] = []
  private readonly changes = new Map<number, number>()
  private readonly missing: Set<number>
  private old: Level0Chunk | undefined

  constructor(
    private readonly options: ExtendedOptions,
    private readonly oldHeader: HnswHeader,
    private readonly oldRows: IndexFile,
    private readonly norms: {new: Float32Array; old: Float32Array} | undefined,
  ) {
    this.missing = new Set(options.labels)
    for (const [i, label] of [...options.operations.updated.labels].entries()) this.changes.set(label, i)
  }

  async compare(chunk: Level0Chunk): Promise<void> {
    const old = await this.readOld(chunk)
    for (let row = 0; row < chunk.count; row++) {
      const id = chunk.firstId + row
      const label = chunk.label(row)
      const isOld = id < this.oldHeader.curElementCount
      const expected = isOld ? old.label(row) : this.options.operations.added.labels[this.added(id)]
      if (label !== expected)
        throw this.contradiction(`has label ${label} for element ${id}, not ${expected}`)
      const isSame = isOld
        ? this.isSameAsOld(chunk, old, row)
        : this.isOperand('added', chunk, row, this.added(id))
      if (!isSame) throw this.contradiction(`has another vector for label ${label}`)
      if (chunk.isDeleted(row)) continue
      if (!this.missing.delete(label))
        throw this.contradiction(`has a label ${label} that does not belong there`)
      this.live.push(id)
    }
  }

  /** To be called after the last row. */
  expectAll(count: number): void {
    const total = this.oldHeader.curElementCount + this.options.operations.added.labels.length
    if (count !== total) throw this.contradiction(`has ${count} elements instead of ${total}`)
    if (this.missing.size > 0) throw this.contradiction(`lacks ${this.missing.size} elements`)
  }

  private added(id: number): number {
    return id - this.oldHeader.curElementCount
  }

  private contradiction(what: string): Error {
    return contradiction(this.options.newFolder, what)
  }

  /** Whether a row has a vector of the operations. */
  private isOperand(kind: 'added' | 'updated', chunk: Level0Chunk, row: number, i: number): boolean {
    const {dimension, norms, vectors} = this.options.operations[kind]
    const vector = Buffer.from(vectors.buffer, vectors.byteOffset + 4 * i * dimension, 4 * dimension)
    return chunk.hasVector(row, vector) && Object.is(this.norms?.new[chunk.firstId + row], norms?.[i])
  }

  private isSameAsOld(chunk: Level0Chunk, old: Level0Chunk, row: number): boolean {
    const change = this.changes.get(chunk.label(row))
    if (change !== undefined && !chunk.isDeleted(row)) return this.isOperand('updated', chunk, row, change)
    const id = chunk.firstId + row
    return chunk.hasVectorOf(old, row) && Object.is(this.norms?.new[id], this.norms?.old[id])
  }

  /** The rows of the old index with the same internal ids, as far as there are. */
  private async readOld({count, firstId, words}: Level0Chunk): Promise<Level0Chunk> {
    const {curElementCount, sizeDataPerElement} = this.oldHeader
    this.old ??= new Level0Chunk(this.oldHeader, (4 * words.length) / sizeDataPerElement)
    const common = Math.max(0, Math.min(count, curElementCount - firstId))
    const bytes = this.old.bytes.subarray(0, common * sizeDataPerElement)
    if (common > 0) await this.oldRows.read(bytes, firstId * sizeDataPerElement)
    return this.old
  }
}

/**
 * Checks an index that was just written, reading it and the old one from their files, independently of how it was made:
 * every old row has its vector and norm in its place, to the byte, or those of its update, every added element follows,
 * exactly the given labels are alive, the links are sound (H9 to H11); and how good a search in it is.
 * Memory: the graph and some 30 bytes for each element.
 *
 * @throws ChopsError `damaged` for the first thing that is wrong
 */
export async function verifyExtended(options: ExtendedOptions): Promise<VerifiedIndex> {
  const {enough, image, newFolder, oldFolder, onProgress, signal} = options
  const isCosine = image.norms !== undefined
  const header = await readHeader(newFolder, {cosine: isCosine})
  const oldHeader = await readHeader(oldFolder, {cosine: isCosine})
  const {curElementCount, sizeDataPerElement} = header
  if (sizeDataPerElement !== oldHeader.sizeDataPerElement)
    throw contradiction(newFolder, 'has rows of another size')
  const norms = isCosine
    ? {
        new: await readNorms(newFolder, header, {signal}),
        old: await readNorms(oldFolder, oldHeader, {signal}),
      }
    : undefined
  const oldRows = openIndexFile(oldFolder, 'data_level0.bin')
  const total = 2 * curElementCount
  try {
    const comparison = new ExtensionComparison(options, oldHeader, oldRows, norms)
    const graph = await loadGraph(newFolder, header, {
      async onRows(chunk) {
        await comparison.compare(chunk)
        onProgress?.(chunk.firstId + chunk.count, total)
      },
      signal,
    })
    comparison.expectAll(curElementCount)
    const verified = await measureSampleInMemory(graph, image.table, Uint32Array.from(comparison.live), {
      enough,
      onProgress: (done) => onProgress?.(curElementCount + done, total),
      signal,
    })
    onProgress?.(total, total)
    return verified
  } finally {
    oldRows.close()
  }
}
