import {openIndexFile, type ScanOptions} from './files.js'
import type {HnswHeader} from './header-layout.js'

/** Large enough that the system calls cost nothing, small enough for the cache of one core. */
const CHUNK_BYTES = 2 * 1024 * 1024

const DELETE_MARK = 0x1_00_00

/**
 * Some consecutive rows of `data_level0.bin`, in a buffer that the next-but-one chunk uses again.
 * A row is u16 link count, u8 flags (bit 0: deleted), u8, maxM0 x u32 links, dimension x f32, u64 label;
 * all fields but the first two are aligned to four bytes, so `words` and `floats` address them directly.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`get_linklist0`, `isMarkedDeleted`, `getExternalLabel`).
 */
export class Level0Chunk {
  /** Rows in this chunk. */
  count = 0
  /** Internal id of row 0. */
  firstId = 0
  readonly bytes: Uint8Array
  readonly floats: Float32Array
  readonly words: Uint32Array
  private readonly labelAt: number
  private readonly rowWords: number
  private readonly vectorWord: number

  constructor(header: HnswHeader, rows: number) {
    const buffer = new ArrayBuffer(rows * header.sizeDataPerElement)
    this.bytes = new Uint8Array(buffer)
    this.floats = new Float32Array(buffer)
    this.words = new Uint32Array(buffer)
    this.labelAt = header.labelOffset / 4
    this.rowWords = header.sizeDataPerElement / 4
    this.vectorWord = header.offsetData / 4
  }

  isDeleted(row: number): boolean {
    return ((this.words[row * this.rowWords] as number) & DELETE_MARK) !== 0
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

  /** Index in `words` of the row's first link. */
  linksAt(row: number): number {
    return row * this.rowWords + 1
  }

  /** Index in `floats` of the row's vector. */
  vectorAt(row: number): number {
    return row * this.rowWords + this.vectorWord
  }
}

/**
 * The rows of the first `curElementCount` elements, in order of their internal ids, chunk by chunk; the next chunk
 * is read while the caller works on this one. Memory: two chunks, whatever the size of the index.
 *
 * @yields a chunk, whose rows are overwritten as soon as the next one is asked for
 * @throws ChopsError `damaged` when the file is missing, unreadable or too short
 */
export async function* level0Chunks(
  folder: string,
  header: HnswHeader,
  {onProgress, signal}: ScanOptions = {},
): AsyncGenerator<Level0Chunk, void> {
  const {curElementCount, sizeDataPerElement} = header
  if (curElementCount === 0) return
  const file = await openIndexFile(folder, 'data_level0.bin')
  const rows = Math.min(curElementCount, Math.max(1, Math.floor(CHUNK_BYTES / sizeDataPerElement)))
  const load = async (chunk: Level0Chunk, firstId: number): Promise<Level0Chunk> => {
    chunk.firstId = firstId
    chunk.count = Math.min(rows, curElementCount - firstId)
    await file.read(chunk.bytes.subarray(0, chunk.count * sizeDataPerElement), firstId * sizeDataPerElement)
    return chunk
  }

  let ahead: Promise<Level0Chunk> | undefined
  try {
    ahead = load(new Level0Chunk(header, rows), 0)
    let spare = new Level0Chunk(header, curElementCount > rows ? rows : 0)
    while (ahead) {
      signal?.throwIfAborted()
      const chunk: Level0Chunk = await ahead
      const end = chunk.firstId + chunk.count
      ahead = end < curElementCount ? load(spare, end) : undefined
      // It is awaited only after the caller's work on this chunk; until then a failure must not count as unhandled.
      ahead?.catch(() => {})
      spare = chunk
      yield chunk
      onProgress?.(end * sizeDataPerElement, curElementCount * sizeDataPerElement)
    }
  } finally {
    await ahead?.catch(() => {})
    await file.close()
  }
}

/** How many elements of an index are alive and how many are only marked deleted. */
export interface ElementCounts {
  deleted: number
  live: number
}

/**
 * Counts live and deleted elements from their marks; `onLiveLabel` gets the label of each live one.
 *
 * @throws ChopsError `damaged` when the file is missing, unreadable or too short
 */
export async function countElements(
  folder: string,
  header: HnswHeader,
  options: ScanOptions & {onLiveLabel?: (label: number) => void} = {},
): Promise<ElementCounts> {
  const {onLiveLabel} = options
  let deleted = 0
  for await (const chunk of level0Chunks(folder, header, options)) {
    for (let row = 0; row < chunk.count; row++) {
      if (chunk.isDeleted(row)) deleted += 1
      else onLiveLabel?.(chunk.label(row))
    }
  }

  return {deleted, live: header.curElementCount - deleted}
}
