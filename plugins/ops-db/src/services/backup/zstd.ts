import {damaged} from '@chops/core/errors'
import zlib from 'node:zlib'

/** One frame of a compressed file, by itself. */
interface Codec {
  compress(bytes: Uint8Array): Uint8Array
  /** Gives up when the content is longer than `LONGEST_CONTENT`. */
  decompress(frame: Uint8Array): Uint8Array
  /** Whether `decompress` failed with this error because the content is too long for what it got. */
  isTooLong(error: unknown): boolean
}

/** What goes into a frame: frames after each other are one file, and each can be read by itself. */
const FRAME_CONTENT = 1 << 22
/** No frame of ours gets as large, and a foreign one might not fit into memory. */
const LONGEST_FRAME = 1 << 26
/** A foreign frame may hold a whole archive; one that holds eight times what a frame may take was made to fill the memory. */
const LONGEST_CONTENT = 8 * LONGEST_FRAME
const TOO_LONG = `one of its frames holds more than ${LONGEST_CONTENT >> 20} MiB`
const LEVEL = 3

const MAGIC = 0xfd_2f_b5_28
/** https://datatracker.ietf.org/doc/html/rfc8878#name-frames */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4]
const CONTENT_SIZE_BYTES = [0, 2, 4, 8]
const RLE_BLOCK = 1
/** `ZSTD_error_dstSize_tooSmall`, as the WebAssembly module tells it. */
const TOO_SMALL = /code -70$/

interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array): Uint8Array
  zstdDecompressSync(frame: Uint8Array, options: {maxOutputLength: number}): Uint8Array
}

let loaded: Promise<Codec> | undefined

/** Once for the process: the WebAssembly module does not survive a second start. */
async function loadCodec(): Promise<Codec> {
  loaded ??= startCodec()
  return loaded
}

/** Zstandard of this Node (from 22.15 on), otherwise in WebAssembly. */
async function startCodec(): Promise<Codec> {
  const {zstdCompressSync, zstdDecompressSync} = zlib as unknown as Partial<NodeZstd>
  if (zstdCompressSync && zstdDecompressSync) {
    return {
      compress: (bytes) => zstdCompressSync(bytes),
      decompress: (frame) => zstdDecompressSync(frame, {maxOutputLength: LONGEST_CONTENT}),
      isTooLong: (error) => (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE',
    }
  }

  const {compress, decompress, init} = await import('@bokuweb/zstd-wasm')
  await init()
  return {
    compress: (bytes) => compress(bytes, LEVEL),
    // It takes as much as the frame says, or this.
    decompress: (frame) => decompress(frame, {defaultHeapSize: LONGEST_CONTENT}),
    isTooLong: (error) => TOO_SMALL.test((error as Error).message),
  }
}

/**
 * Compresses a stream of bytes into Zstandard frames.
 *
 * @yields whole frames
 */
export async function* compressZstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const codec = await loadCodec()
  let chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    length += chunk.length
    if (length < FRAME_CONTENT) continue
    yield codec.compress(Buffer.concat(chunks))
    chunks = []
    length = 0
  }

  if (length > 0) yield codec.compress(Buffer.concat(chunks))
}

/**
 * Decompresses what `compressZstd` wrote.
 *
 * @param file for messages
 * @yields the content of one frame
 */
export async function* decompressZstd(
  source: AsyncIterable<Uint8Array>,
  file: string,
): AsyncGenerator<Uint8Array> {
  const codec = await loadCodec()
  let waiting = Buffer.alloc(0)
  for await (const chunk of source) {
    waiting = Buffer.concat([waiting, chunk])
    for (let end = frameEnd(waiting); end !== undefined; end = frameEnd(waiting)) {
      if (end === 'no frame') throw noZstd(file, 'it holds something else')
      yield decompressed(codec, waiting.subarray(0, end), file)
      waiting = waiting.subarray(end)
    }

    if (waiting.length > LONGEST_FRAME) throw noZstd(file, 'it was not written by chops')
  }

  if (waiting.length > 0) throw noZstd(file, 'it is cut off')
}

function decompressed(codec: Codec, frame: Buffer, file: string): Uint8Array {
  const length = statedLength(frame)
  if (length !== undefined && length > LONGEST_CONTENT) throw noZstd(file, TOO_LONG)
  try {
    return codec.decompress(frame)
  } catch (error) {
    throw noZstd(file, length === undefined && codec.isTooLong(error) ? TOO_LONG : 'it is damaged', error)
  }
}

/** Of the content of a frame; undefined where it does not say. */
function statedLength(frame: Buffer): number | undefined {
  const {lengthAt, lengthBytes} = headOf(frame)
  if (lengthBytes === 0) return undefined
  if (lengthBytes === 8) return Number(frame.readBigUInt64LE(lengthAt))
  return frame.readUIntLE(lengthAt, lengthBytes) + (lengthBytes === 2 ? 256 : 0)
}

/** Where the head of a frame tells the length of its content, with how many bytes; the blocks come after them. */
function headOf(frame: Buffer): {lengthAt: number; lengthBytes: number} {
  const descriptor = frame.readUInt8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSize = CONTENT_SIZE_BYTES[descriptor >> 6] ?? 0
  return {
    lengthAt: 5 + (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0),
    lengthBytes: isSingleSegment && contentSize === 0 ? 1 : contentSize,
  }
}

/** Where the frame at the beginning ends; undefined while it is not all there. */
function frameEnd(bytes: Buffer): 'no frame' | number | undefined {
  if (bytes.length < 5) return undefined
  if (bytes.readUInt32LE(0) !== MAGIC) return 'no frame'
  const {lengthAt, lengthBytes} = headOf(bytes)
  let at = lengthAt + lengthBytes
  for (let isLast = false; !isLast;) {
    if (bytes.length < at + 3) return undefined
    const header = bytes.readUIntLE(at, 3)
    isLast = (header & 1) !== 0
    at += 3 + (((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3)
  }

  at += (bytes.readUInt8(4) & 4) === 0 ? 0 : 4
  return bytes.length < at ? undefined : at
}

function noZstd(file: string, reason: string, cause?: unknown): Error {
  return damaged(`${file} cannot be decompressed: ${reason}.`, {cause, file, next: 'Take another backup.'})
}
