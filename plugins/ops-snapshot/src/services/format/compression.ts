import {promisify} from 'node:util'
import {constants, deflate, inflate, type ZlibOptions} from 'node:zlib'

import {CHUNK_BYTES} from './tables.js'

export const COMPRESSIONS = ['zlib', 'none'] as const

export type Compression = (typeof COMPRESSIONS)[number]

const compressChunk = promisify<Uint8Array, ZlibOptions, Buffer>(deflate)
const expandChunk = promisify<Uint8Array, ZlibOptions, Buffer>(inflate)

/** Room for a chunk of either form: zlib otherwise comes back to this thread for every 16 KiB that it puts out. */
const ROOM: ZlibOptions = {chunkSize: CHUNK_BYTES + 1024}

/**
 * Vectors do not repeat: looking for earlier occurrences takes three times as long and saves a thousandth. Ids and links
 * do.
 */
const VECTORS: ZlibOptions = {...ROOM, level: 1, memLevel: 9, strategy: constants.Z_RLE}
const OTHERS: ZlibOptions = {...ROOM, level: 6, memLevel: 9}

/** Compresses a chunk of an index file, on a thread of its own. */
export async function compress(
  compression: Compression,
  filename: string,
  chunk: Uint8Array,
): Promise<Uint8Array> {
  if (compression === 'none') return chunk
  const isVectors = filename === 'data_level0.bin' || filename === 'length.bin'
  return compressChunk(chunk, isVectors ? VECTORS : OTHERS)
}

/**
 * Expands a chunk, on a thread of its own.
 *
 * @param size what it has to come to; no more memory is taken, whatever the data say
 * @returns undefined when the data are not those of so many bytes
 */
export async function expand(
  compression: Compression,
  data: Uint8Array,
  size: number,
): Promise<Uint8Array | undefined> {
  if (compression === 'none') return data.byteLength === size ? data : undefined
  try {
    const chunk = await expandChunk(data, {...ROOM, maxOutputLength: size})
    return chunk.byteLength === size ? chunk : undefined
  } catch {
    return undefined
  }
}
