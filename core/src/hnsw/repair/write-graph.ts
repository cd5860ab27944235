import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'

import type {IndexElements} from '../build/elements.js'
import type {ScanOptions} from '../files.js'
import type {HnswGraph} from '../graph.js'

import {writeHeaderAndNorms, writeLinkLists} from '../build/index-files.js'
import {writeWords} from '../build/word-writer.js'

/**
 * Writes a graph and the vectors of its elements, in the same order, as the four files of a segment folder, which
 * is made when it does not exist.
 */
export async function writeGraph(
  folder: string,
  graph: HnswGraph,
  {dimension, labels, norms, vectors}: IndexElements,
  {signal}: Pick<ScanOptions, 'signal'> = {},
): Promise<void> {
  const {curElementCount, maxM0, sizeDataPerElement} = graph.header
  // As words, because a NaN that passes through a number may lose bits.
  const vectorWords = new Uint32Array(vectors.buffer, vectors.byteOffset, vectors.length)
  const rowWords = sizeDataPerElement / 4
  await mkdir(folder, {recursive: true})
  await writeWords(join(folder, 'data_level0.bin'), rowWords, async (out) => {
    for (let id = 0; id < curElementCount; id++) {
      if (!out.has(rowWords)) {
        signal?.throwIfAborted()
        await out.flush()
      }

      const count = graph.level0Counts[id] as number
      out.words[out.at] = count
      out.words.set(graph.level0Links.subarray(id * maxM0, id * maxM0 + count), out.at + 1)
      out.words.fill(0, out.at + 1 + count, out.at + 1 + maxM0)
      out.at += 1 + maxM0
      out.words.set(vectorWords.subarray(id * dimension, (id + 1) * dimension), out.at)
      out.at += dimension
      const label = labels[id] as number
      out.words[out.at++] = label
      out.words[out.at++] = Math.floor(label / 2 ** 32)
    }
  })
  await writeLinkLists(folder, graph)
  await writeHeaderAndNorms(folder, graph.header, norms)
}
