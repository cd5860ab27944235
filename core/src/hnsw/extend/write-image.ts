import {open} from 'node:fs/promises'
import {join} from 'node:path'

import type {ScanOptions} from '../files.js'
import type {HnswGraph} from '../graph.js'
import type {HnswHeader} from '../header.js'
import type {IndexImage} from './index-image.js'

import {allEnded} from '../../change/all-ended.js'
import {namingFile} from '../../change/file-writes.js'
import {writeHeaderAndNorms, writeLinkLists} from '../build/index-files.js'
import {Level0Chunk} from '../level0.js'

/** Rows that are written at a time. */
const PIECE_BYTES = 8 * 1024 * 1024

/** Writes an index in memory as the four files of a segment folder, which must not have them yet; `syncIndex` syncs them. */
export async function writeImage(
  folder: string,
  {graph, norms, rows}: IndexImage,
  maxElements: number,
  options: Pick<ScanOptions, 'signal'> = {},
): Promise<HnswHeader> {
  const header = {...graph.header, maxElements}
  await allEnded([
    writeRows(join(folder, 'data_level0.bin'), rows, graph, options),
    writeLinkLists(folder, graph),
    writeHeaderAndNorms(folder, header, norms),
  ])
  return header
}

/** The rows go to the disk from where they are, and the links of the next ones are put there meanwhile. */
async function writeRows(
  path: string,
  rows: Level0Chunk,
  graph: HnswGraph,
  {signal}: Pick<ScanOptions, 'signal'>,
): Promise<void> {
  const {curElementCount, maxM0, sizeDataPerElement} = graph.header
  const perPiece = Math.max(1, Math.floor(PIECE_BYTES / sizeDataPerElement))
  const handle = await open(path, 'wx')
  let writing: Promise<void> = Promise.resolve()
  try {
    for (let first = 0; first < curElementCount; first += perPiece) {
      const end = Math.min(curElementCount, first + perPiece)
      for (let id = first; id < end; id++) {
        const from = id * maxM0
        const links = graph.level0Links.subarray(from, from + (graph.level0Counts[id] as number))
        rows.setLinks(id, links, graph.deleted[id] !== 0)
      }

      await writing
      signal?.throwIfAborted()
      const piece = new Level0Chunk(graph.header, end - first, rows.words.buffer, first)
      writing = namingFile(path, handle.writeFile(piece.bytes))
      // Met at the next turn, when it may have failed already.
      writing.catch(() => {})
    }

    await writing
  } finally {
    await writing.catch(() => {})
    await handle.close()
  }
}
