import {allocate, openIndexFile, type ScanOptions} from './files.js'
import type {HnswHeader} from './header-layout.js'
import {type Level0Chunk, level0Chunks} from './level0.js'

/** The live elements of an index in order of their internal ids; element i has its vector at `i * dimension`. */
export interface LiveVectors {
  internalIds: Uint32Array
  labels: Float64Array
  /** As stored: normalised in a cosine index, where `readNorms` has what it was divided by. */
  vectors: Float32Array
}

/** Hands the rows of all elements on, chunk by chunk, in order of their internal ids. */
export type RowPass = (onRows: (chunk: Level0Chunk) => void, options: ScanOptions) => Promise<void>

/**
 * Copies the vectors of the live elements that have one of these labels, each label at its first appearance.
 * Memory: the vectors plus 16 bytes for each.
 *
 * @param pass reads the rows, for who wants to see more of them in the same pass
 * @param room for so many more vectors behind these in the same memory
 * @returns them, and in `missing` the labels that no live element has
 * @throws ChopsError `damaged` when the file is missing, unreadable or too short
 */
export async function readLabelledVectors(
  folder: string,
  header: HnswHeader,
  {
    labels: wanted,
    pass = plainPass(folder, header),
    room,
    ...options
  }: ScanOptions & {labels: Iterable<number>; pass?: RowPass | undefined; room: number},
): Promise<LiveVectors & {missing: Set<number>}> {
  const {curElementCount, dimension, sizeDataPerElement} = header
  const file = openIndexFile(folder, 'data_level0.bin', curElementCount * sizeDataPerElement)
  file.close()

  const missing = new Set(wanted)
  const most = Math.min(missing.size, curElementCount)
  const vectors = allocate(folder, () => new Float32Array((most + room) * dimension))
  const internalIds = new Uint32Array(most)
  const labels = new Float64Array(most)
  // Copied as words: as floats, the bits of a NaN could change.
  const words = new Uint32Array(vectors.buffer)
  let found = 0
  await pass((chunk) => {
    for (let row = 0; row < chunk.count; row++) {
      if (chunk.isDeleted(row)) continue
      const label = chunk.label(row)
      if (!missing.delete(label)) continue
      internalIds[found] = chunk.firstId + row
      labels[found] = label
      const from = chunk.vectorAt(row)
      words.set(chunk.words.subarray(from, from + dimension), found * dimension)
      found += 1
    }
  }, options)
  return {
    internalIds: internalIds.subarray(0, found),
    labels: labels.subarray(0, found),
    missing,
    vectors: vectors.subarray(0, found * dimension),
  }
}

function plainPass(folder: string, header: HnswHeader): RowPass {
  return async (onRows, options) => {
    for await (const chunk of level0Chunks(folder, header, options)) onRows(chunk)
  }
}
