import {join} from 'node:path'
import {allEnded} from '../../change/all-ended.js'
import {fsyncPath} from '../../change/durable.js'
import type {HnswGraph} from '../graph.js'
import {encodeHeader, type HnswHeader} from '../header.js'
import type {HnswFile} from '../problems.js'
import {writeWords} from './word-writer.js'

/** All but the id map, which is written elsewhere. */
const FILES: readonly HnswFile[] = ['data_level0.bin', 'header.bin', 'length.bin', 'link_lists.bin']

/** The parameters and counts of an index, from which everything else in its header follows. */
export type IndexShape = Pick<
  HnswHeader,
  'curElementCount' | 'dimension' | 'efConstruction' | 'enterpoint' | 'M' | 'maxElements' | 'maxLevel'
>

/** The header of an index of this shape. Source: chroma-core/hnswlib hnswlib/hnswalg.h (constructor of HierarchicalNSW). */
export function headerOf(shape: IndexShape): HnswHeader {
  const {dimension, M} = shape
  const maxM0 = 2 * M
  const offsetData = 4 + 4 * maxM0
  const labelOffset = offsetData + 4 * dimension
  return {
    ...shape,
    labelOffset,
    maxM: M,
    maxM0,
    mult: 1 / Math.log(M),
    offsetData,
    offsetLevel0: 0,
    persistenceVersion: 1,
    sizeDataPerElement: labelOffset + 8,
  }
}

/** Writes `header.bin` and `length.bin`; without norms, which only a cosine index has, the latter gets zeros. */
export async function writeHeaderAndNorms(
  folder: string,
  header: HnswHeader,
  norms?: Float32Array,
): Promise<void> {
  const encoded = encodeHeader(header)
  await writeWords(join(folder, 'header.bin'), encoded.length / 4, async (out) => {
    for (let at = 0; at < encoded.length; at += 4) out.words[out.at++] = encoded.readUInt32LE(at)
  })
  await writeWords(join(folder, 'length.bin'), 1, async (out) => {
    for (let id = 0; id < header.curElementCount; id++) {
      if (!out.has(1)) await out.flush()
      out.floats[out.at++] = norms?.[id] ?? 0
    }
  })
}

/** Writes `link_lists.bin`: for each element the bytes of its lists above level 0, and these. */
export async function writeLinkLists(
  folder: string,
  {header, levels, upperLists, upperStart}: HnswGraph,
): Promise<void> {
  const {curElementCount, maxLevel, maxM} = header
  const listWords = maxM + 1
  const longest = 1 + Math.max(0, maxLevel) * listWords
  await writeWords(join(folder, 'link_lists.bin'), longest, async (out) => {
    for (let id = 0; id < curElementCount; id++) {
      const words = (levels[id] as number) * listWords
      const from = (upperStart[id] as number) * listWords
      if (!out.has(1 + words)) await out.flush()
      out.words[out.at++] = 4 * words
      out.words.set(upperLists.subarray(from, from + words), out.at)
      out.at += words
    }
  })
}

/**
 * Syncs the files of an index to the disk; the entries of its folder are left to who puts the index in force. What is read
 * back comes from memory in any case, so an index is best synced while it is verified.
 */
export async function syncIndex(folder: string): Promise<void> {
  await allEnded(FILES.map((file) => fsyncPath(join(folder, file))))
}
