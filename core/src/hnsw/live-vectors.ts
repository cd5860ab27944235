import {damaged} from '../errors.js'
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
 * Copies the vectors of all live elements into one array.
 * Memory: the vectors plus 12 bytes for each, for as many elements as `countElements` found.
 *
 * @throws ChopsError `damaged` when the file is missing, unreadable, too short, or no longer has that many
 */
export async function readLiveVectors(
  folder: string,
  header: HnswHeader,
  live: number,
  options: ScanOptions = {},
): Promise<LiveVectors> {
  if (live > header.curElementCount)
    throw new RangeError(`${live} live elements among ${header.curElementCount}`)
  const {found, ...elements} = await copyVectors(folder, header, {
    ...options,
    isWanted: () => true,
    most: live,
  })
  if (found === live) return elements
  throw damaged(
    `The index in ${folder} changed while it was read: ${found} live elements instead of ${live}.`,
    {
      file: folder,
      next: 'Stop the program that writes to it and try again.',
    },
  )
}

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
  {labels, ...options}: ScanOptions & {labels: Iterable<number>; pass?: RowPass | undefined; room: number},
): Promise<LiveVectors & {missing: Set<number>}> {
  const missing = new Set(labels)
  const most = Math.min(missing.size, header.curElementCount)
  const copied = await copyVectors(folder, header, {
    ...options,
    isWanted: (label) => missing.delete(label),
    most,
  })
  const {found, internalIds, vectors} = copied
  return {
    internalIds: internalIds.subarray(0, found),
    labels: copied.labels.subarray(0, found),
    missing,
    vectors: vectors.subarray(0, found * header.dimension),
  }
}

interface CopyOptions extends ScanOptions {
  /** Asked once for each live element, in order of the internal ids. */
  isWanted: (label: number) => boolean
  /** Elements that are copied; any more are only counted. */
  most: number
  pass?: RowPass | undefined
  /** Vectors that there is to be room for behind those. */
  room?: number
}

/** Copies wanted live elements; `found` counts them. */
async function copyVectors(
  folder: string,
  header: HnswHeader,
  {isWanted, most, pass = plainPass(folder, header), room = 0, ...options}: CopyOptions,
): Promise<LiveVectors & {found: number}> {
  const {curElementCount, dimension, sizeDataPerElement} = header
  const file = openIndexFile(folder, 'data_level0.bin', curElementCount * sizeDataPerElement)
  file.close()

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
      if (!isWanted(label)) continue
      if (found < most) {
        internalIds[found] = chunk.firstId + row
        labels[found] = label
        const from = chunk.vectorAt(row)
        words.set(chunk.words.subarray(from, from + dimension), found * dimension)
      }

      found += 1
    }
  }, options)
  return {found, internalIds, labels, vectors}
}

function plainPass(folder: string, header: HnswHeader): RowPass {
  return async (onRows, options) => {
    for await (const chunk of level0Chunks(folder, header, options)) onRows(chunk)
  }
}
