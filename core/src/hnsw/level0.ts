import {openIndexFile, type ScanOptions} from './files.js'
import type {HnswHeader} from './header-layout.js'

/** Large enough that the system calls cost nothing, small enough for the cache of one core. */
const CHUNK_BYTES = 2 * 1024 * 1024

/** Bit 0 of byte 2 of a row: the element is deleted. */
const DELETE_MARK = 0x1_00_00

/** What a row's first word holds besides that and the number of links. */
const OTHER_FLAGS = 0xff_fe_00_00

/**
 * Some consecutive rows of `data_level0.bin`, in a buffer that the next-but-one chunk uses again or in an image of all.
 * A row is u16 link count, u8 flags (bit 0: deleted), u8, maxM0 x u32 links, dimension x f32, u64 label;
 * all fields but the first two are aligned to four bytes, so `words` and `floats` address them directly.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`get_linklist0`, `isMarkedDeleted`, `getExternalLabel`).
 */
export class Level0Chunk {
  /** Rows in this chunk. */
  count = 0
  /** Internal id of row 0. */
  firstId = 0
  readonly floats: Float32Array
  readonly words: Uint32Array
  private asBytes: Buffer | undefined
  private readonly labelAt: number
  private readonly rowWords: number
  private readonly vectorWord: number

  /** Takes memory of its own, or that of `image` from `row` on. */
  constructor(header: HnswHeader, rows: number, image?: ArrayBufferLike, row = 0) {
    const size = rows * header.sizeDataPerElement
    const buffer = image ?? new ArrayBuffer(size)
    const at = image ? row * header.sizeDataPerElement : 0
    this.floats = new Float32Array(buffer, at, size / 4)
    this.words = new Uint32Array(buffer, at, size / 4)
    this.labelAt = header.labelOffset / 4
    this.rowWords = header.sizeDataPerElement / 4
    this.vectorWord = header.offsetData / 4
  }

  /** All rows; Node 20 makes no Buffer of an image of 4 GiB. */
  get bytes(): Buffer {
    const {buffer, byteLength, byteOffset} = this.words
    this.asBytes ??= Buffer.from(buffer, byteOffset, byteLength)
    return this.asBytes
  }

  isDeleted(row: number): boolean {
    return ((this.words[row * this.rowWords] as number) & DELETE_MARK) !== 0
  }

  /** Whether the row's vector is this one, to the byte. */
  hasVector(row: number, bytes: Uint8Array): boolean {
    const at = 4 * this.vectorAt(row)
    return this.bytes.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0
  }

  /** Whether it is that of the same row of another chunk. */
  hasVectorOf(other: Level0Chunk, row: number): boolean {
    const from = 4 * this.vectorAt(row)
    const end = 4 * (row * this.rowWords + this.labelAt)
    return this.bytes.compare(other.bytes, from, end, from, end) === 0
  }

  /** The label Chroma gave the element; exact below 2^53. */
  label(row: number): number {
    const at = row * this.rowWords + this.labelAt
    return (this.words[at + 1] as number) * 2 ** 32 + (this.words[at] as number)
  }

  /** How many links follow at `linksAt`; unchecked, it may exceed maxM0 in a damaged file. */
  linkCount(row: number): number {
    return (this.words[row * this.rowWords] as number) & 0xff_ff
  }

  setElement(row: number, vector: Float32Array, label: number): void {
    this.floats.set(vector, this.vectorAt(row))
    const at = row * this.rowWords + this.labelAt
    this.words[at] = label
    this.words[at + 1] = Math.floor(label / 2 ** 32)
  }

  /** Links, of which there have to be no more than maxM0; what a longer list had behind them stays, as in hnswlib. */
  setLinks(row: number, links: Uint32Array, isDeleted: boolean): void {
    const at = row * this.rowWords
    const others = (this.words[at] as number) & OTHER_FLAGS
    this.words[at] = others | links.length | (isDeleted ? DELETE_MARK : 0)
    this.words.set(links, at + 1)
  }

  /** Index in `words` of the row's first link. */
  linksAt(row: number): number {
    return row * this.rowWords + 1
  }

  /** Index in `floats` of the row's vector. */
  vectorAt(row: number): number {
    return row * this.rowWords + this.vectorWord
  }
}

export interface Level0Options extends ScanOptions {
  /** Memory that keeps all rows, from its first byte on; the chunks are then parts of it. */
  image?: ArrayBufferLike | undefined
}

/**
 * The rows of the first `curElementCount` elements, in order of their internal ids, chunk by chunk; the next chunk
 * is read while the caller works on this one. Memory: two chunks, whatever the size of the index.
 *
 * @yields a chunk, whose rows are overwritten as soon as the next one is asked for, unless there is an `image`
 * @throws ChopsError `damaged` when the file is missing, unreadable or too short
 */
export async function* level0Chunks(
  folder: string,
  header: HnswHeader,
  {image, onProgress, signal}: Level0Options = {},
): AsyncGenerator<Level0Chunk, void> {
  const {curElementCount, sizeDataPerElement} = header
  if (curElementCount === 0) return
  const file = openIndexFile(folder, 'data_level0.bin')
  const rows = Math.min(curElementCount, Math.max(1, Math.floor(CHUNK_BYTES / sizeDataPerElement)))
  const load = async (spare: Level0Chunk | undefined, firstId: number): Promise<Level0Chunk> => {
    const count = Math.min(rows, curElementCount - firstId)
    const chunk = spare ?? new Level0Chunk(header, count, image, firstId)
    chunk.firstId = firstId
    chunk.count = count
    await file.read(chunk.bytes.subarray(0, count * sizeDataPerElement), firstId * sizeDataPerElement)
    return chunk
  }

  let ahead: Promise<Level0Chunk> | undefined
  try {
    ahead = load(undefined, 0)
    let spare: Level0Chunk | undefined
    while (ahead) {
      signal?.throwIfAborted()
      const chunk: Level0Chunk = await ahead
      const end = chunk.firstId + chunk.count
      ahead = end < curElementCount ? load(spare, end) : undefined
      // It is awaited only after the caller's work on this chunk; until then a failure must not count as unhandled.
      ahead?.catch(() => {})
      if (!image) spare = chunk
      yield chunk
      onProgress?.(end * sizeDataPerElement, curElementCount * sizeDataPerElement)
    }
  } finally {
    await ahead?.catch(() => {})
    file.close()
  }
}
