import {damaged} from '../errors.js'
import {allocate, openIndexFile, type ScanOptions} from './files.js'
import type {HnswHeader} from './header-layout.js'
import {level0Chunks} from './level0.js'

/** The live elements of an index in order of their internal ids; element i has its vector at `i * dimension`. */
export interface LiveVectors {
  internalIds: Uint32Array
  labels: Float64Array
  /** As stored: normalised in a cosine index, where `readNorms` has what it was divided by. */
  vectors: Float32Array
}

/**
 * Copies the vectors of all live elements into one array, on a SharedArrayBuffer if workers shall read it.
 * Memory: the vectors plus 12 bytes for each, for as many elements as `countElements` found.
 *
 * @throws ChopsError `damaged` when the file is missing, unreadable, too short, or no longer has that many
 */
export async function readLiveVectors(
  folder: string,
  header: HnswHeader,
  live: number,
  options: ScanOptions & {shared?: boolean} = {},
): Promise<LiveVectors> {
  const {curElementCount, dimension, sizeDataPerElement} = header
  if (live > curElementCount) throw new RangeError(`${live} live elements among ${curElementCount}`)
  const file = await openIndexFile(folder, 'data_level0.bin', curElementCount * sizeDataPerElement)
  await file.close()

  const bytes = live * dimension * 4
  const vectors = allocate(
    folder,
    () => new Float32Array(options.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)),
  )
  const internalIds = new Uint32Array(live)
  const labels = new Float64Array(live)
  // Copied as words: as floats, the bits of a NaN could change.
  const words = new Uint32Array(vectors.buffer)
  let found = 0
  for await (const chunk of level0Chunks(folder, header, options)) {
    for (let row = 0; row < chunk.count; row++) {
      if (chunk.isDeleted(row)) continue
      if (found < live) {
        internalIds[found] = chunk.firstId + row
        labels[found] = chunk.label(row)
        const from = chunk.vectorAt(row)
        words.set(chunk.words.subarray(from, from + dimension), found * dimension)
      }

      found += 1
    }
  }

  if (found !== live) {
    throw damaged(
      `The index in ${folder} changed while it was read: ${found} live elements instead of ${live}.`,
      {
        file: folder,
        next: 'Stop the program that writes to it and try again.',
      },
    )
  }

  return {internalIds, labels, vectors}
}
