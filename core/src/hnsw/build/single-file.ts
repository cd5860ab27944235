import {join} from 'node:path'
import type {ScanOptions} from '../files.js'
import {decodeHeader, HEADER_SIZE} from '../header-layout.js'
import {HIGHEST_LEVEL, type HnswHeader} from '../header.js'
import {type ByteReader, readBytes} from './byte-reader.js'
import {type WordWriter, writeWords} from './word-writer.js'

/** Bytes of the persistence version, which `header.bin` has before what a single file begins with. */
const VERSION_BYTES = 4

/** Sees each row as it is written, from `words[at]` on, and may change it. */
export type RowVisitor = (words: Uint32Array, at: number, id: number) => void

async function copy(input: ByteReader, out: WordWriter, bytes: number): Promise<void> {
  if (!input.has(bytes)) await input.need(bytes)
  if (!out.has(bytes / 4)) await out.flush()
  out.bytes.set(input.bytes.subarray(input.at, input.at + bytes), out.at * 4)
  input.at += bytes
  out.at += bytes / 4
}

/**
 * Splits a single file that hnswlib's `saveIndex` wrote into `data_level0.bin` and `link_lists.bin` of a segment
 * folder and returns its header, for the caller to write. The file is the header without the persistence version, the
 * rows of all elements, and the records of `link_lists.bin`.
 * Source: nmslib/hnswlib hnswlib/hnswalg.h (`saveIndex`, `loadIndex`).
 *
 * @throws ChopsError `damaged` when the file ends too early
 */
export async function splitSingleFile(
  path: string,
  folder: string,
  onRow: RowVisitor,
  {signal}: Pick<ScanOptions, 'signal'> = {},
): Promise<HnswHeader> {
  return readBytes(path, async (input) => {
    const bytes = Buffer.alloc(HEADER_SIZE)
    bytes.writeInt32LE(1)
    await input.need(HEADER_SIZE - VERSION_BYTES)
    bytes.set(input.bytes.subarray(input.at, input.at + HEADER_SIZE - VERSION_BYTES), VERSION_BYTES)
    input.at += HEADER_SIZE - VERSION_BYTES
    const header = decodeHeader(bytes)
    const {curElementCount, maxM, sizeDataPerElement} = header

    await writeWords(join(folder, 'data_level0.bin'), sizeDataPerElement / 4, async (out) => {
      for (let id = 0; id < curElementCount; id++) {
        await copy(input, out, sizeDataPerElement)
        onRow(out.words, out.at - sizeDataPerElement / 4, id)
        if (id % 1000 === 0) signal?.throwIfAborted()
      }
    })
    const longest = 1 + HIGHEST_LEVEL * (maxM + 1)
    await writeWords(join(folder, 'link_lists.bin'), longest, async (out) => {
      for (let id = 0; id < curElementCount; id++) {
        if (!input.has(4)) await input.need(4)
        const length = input.bytes.readUInt32LE(input.at)
        if (length > 4 * longest) throw new Error(`hnswlib saved ${length} bytes of links for element ${id}`)
        await copy(input, out, 4 + length)
      }
    })
    input.expectEnd()
    return header
  })
}
