import {open} from 'node:fs/promises'
import {join} from 'node:path'
import {encodeHeader, type HnswHeader} from '../header.js'
import {writeWords} from './word-writer.js'

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

/** Syncs the entries of a folder to the disk, which syncing the files alone does not. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder, and keeps its entries safe by itself.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
