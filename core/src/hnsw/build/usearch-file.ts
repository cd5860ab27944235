import {join} from 'node:path'
import type {ScanOptions} from '../files.js'
import {HIGHEST_LEVEL, type HnswHeader} from '../header.js'
import {type ByteReader, readBytes} from './byte-reader.js'
import type {IndexElements} from './elements.js'
import {writeHeaderAndNorms} from './index-files.js'
import {type WordWriter, writeWords} from './word-writer.js'

const HEAD_BYTES = 64

const MAGIC = 'usearch'

/** u64 key, i16 level. */
const NODE_HEAD_BYTES = 10

/** What the lists of one node may link to, each once: usearch's threads can link a node to itself. */
class LinkFilter {
  private list = 0
  private readonly seen: Uint32Array

  constructor(private readonly nodes: number) {
    this.seen = new Uint32Array(nodes)
  }

  /** Copies a list (u32 count, `room` x u32 slots) as hnswlib stores it: u16 count, u16 0, links, zeros. */
  copy(input: ByteReader, slot: number, room: number, out: WordWriter): void {
    const {bytes} = input
    const start = out.at
    const count = bytes.readUInt32LE(input.at)
    if (count > room) throw new Error(`usearch gave node ${slot} ${count} links instead of at most ${room}`)
    this.list += 1
    let kept = 0
    for (let i = 1; i <= count; i++) {
      const target = bytes.readUInt32LE(input.at + 4 * i)
      if (target >= this.nodes)
        throw new Error(`usearch linked node ${slot} to ${target} of ${this.nodes} nodes`)
      if (target === slot || this.seen[target] === this.list) continue
      this.seen[target] = this.list
      kept += 1
      out.words[start + kept] = target
    }

    out.words[start] = kept
    out.words.fill(0, start + kept + 1, start + room + 1)
    out.at = start + room + 1
    input.at += 4 + 4 * room
  }
}

async function readHead(
  input: ByteReader,
  elements: IndexElements,
  M: number,
): Promise<Pick<HnswHeader, 'enterpoint' | 'maxLevel'>> {
  const size = elements.labels.length
  await input.need(8)
  const rows = input.bytes.readUInt32LE(input.at)
  const rowBytes = input.bytes.readUInt32LE(input.at + 4)
  input.skip(8 + rows * rowBytes)
  await input.need(HEAD_BYTES + 40)
  const magic = input.bytes.toString('latin1', input.at, input.at + MAGIC.length)
  const [nodes, connectivity, base, maxLevel, enterpoint] = [0, 8, 16, 24, 32].map((at) =>
    Number(input.bytes.readBigUInt64LE(input.at + HEAD_BYTES + at)),
  ) as [number, number, number, number, number]
  const isExpected =
    rows === size &&
    (rowBytes === 4 * elements.dimension || rowBytes === 2 * elements.dimension) &&
    magic === MAGIC &&
    nodes === size &&
    connectivity === M &&
    base === 2 * M &&
    maxLevel <= HIGHEST_LEVEL &&
    enterpoint < size
  if (!isExpected) throw new Error('usearch saved an index of another layout than it had in version 2.25')
  // After the head come the levels, which each node repeats.
  input.skip(HEAD_BYTES + 40 + 2 * size)
  return {enterpoint, maxLevel}
}

/**
 * Writes the graph of a file that usearch saved as the four files of a segment folder; slots become internal ids.
 * The keys have to be positions in `elements`, whose vectors are taken to the byte. `header` is complete but for the
 * entry point.
 *
 * The file: u32 rows, u32 row bytes, the vectors (f32, or bf16 with half the bytes); a head of 64 bytes that begins with `usearch`; u64 size,
 * connectivity, connectivity_base, max_level, entry slot; i16 levels; nodes of u64 key, i16 level and for each level
 * u32 count and as many u32 slots as the level has room for. Source: unum-cloud/USearch include/usearch/index.hpp and
 * index_dense.hpp (`save_to_stream`).
 *
 * @throws ChopsError `damaged` when the file ends too early
 */
export async function convertUsearchFile(
  path: string,
  {elements, outDir, signal}: Pick<ScanOptions, 'signal'> & {elements: IndexElements; outDir: string},
  header: HnswHeader,
): Promise<HnswHeader> {
  const {dimension, labels, vectors} = elements
  const {curElementCount, M, maxM0} = header
  // As words, because a NaN that passes through a number may lose bits.
  const vectorWords = new Uint32Array(vectors.buffer, vectors.byteOffset, vectors.length)
  const norms = elements.norms && new Float32Array(curElementCount)
  const filter = new LinkFilter(curElementCount)
  const listBytes = 4 + 4 * M
  const rowWords = header.sizeDataPerElement / 4

  const complete = await readBytes(path, async (input) => {
    const entry = await readHead(input, elements, M)
    const longestRecord = 1 + (entry.maxLevel * listBytes) / 4
    const writeRow = (slot: number, key: number, rows: WordWriter) => {
      filter.copy(input, slot, maxM0, rows)
      rows.words.set(vectorWords.subarray(key * dimension, (key + 1) * dimension), rows.at)
      rows.at += dimension
      const label = labels[key] as number
      rows.words[rows.at++] = label
      rows.words[rows.at++] = Math.floor(label / 2 ** 32)
      if (norms) norms[slot] = elements.norms?.[key] as number
    }

    await writeWords(join(outDir, 'data_level0.bin'), rowWords, (rows) =>
      writeWords(join(outDir, 'link_lists.bin'), longestRecord, async (lists) => {
        for (let slot = 0; slot < curElementCount; slot++) {
          if (!input.has(NODE_HEAD_BYTES)) await input.need(NODE_HEAD_BYTES)
          const key = Number(input.bytes.readBigUInt64LE(input.at))
          const level = input.bytes.readInt16LE(input.at + 8)
          if (key >= curElementCount || level < 0 || level > entry.maxLevel)
            throw new Error(`usearch saved node ${slot} with key ${key} and level ${level}`)
          input.at += NODE_HEAD_BYTES
          const bytes = 4 + 4 * maxM0 + level * listBytes
          if (!input.has(bytes)) await input.need(bytes)
          if (!rows.has(rowWords)) {
            signal?.throwIfAborted()
            await rows.flush()
          }

          writeRow(slot, key, rows)
          if (!lists.has(longestRecord)) await lists.flush()
          lists.words[lists.at++] = level * listBytes
          for (let l = 1; l <= level; l++) filter.copy(input, slot, M, lists)
        }
      }),
    )
    input.expectEnd()
    return {...header, ...entry}
  })
  await writeHeaderAndNorms(outDir, complete, norms)
  return complete
}
