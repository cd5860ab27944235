import type {Space} from '../../catalog/hnsw-parameters.js'
import type {HnswGraph} from '../graph.js'
import type {HnswHeader} from '../header.js'

import {createTable, type TableShape, type VectorTable} from '../distance/vector-table.js'
import {allocate, type ScanOptions} from '../files.js'
import {loadGraph} from '../graph.js'
import {readHeader} from '../header.js'
import {grown} from './grow-graph.js'
import {hasLostNorm, sumOfSquares} from '../level0-problems.js'
import {Level0Chunk} from '../level0.js'
import {normProblems, readNorms} from '../length.js'
import {assertNoProblem, problemError} from '../problems.js'

/**
 * An index in memory as an engine has it: the rows of `data_level0.bin`, which the distance kernel reads where they are,
 * and the links of all levels beside them, where they change.
 */
export interface IndexImage {
  folder: string
  graph: HnswGraph
  /** Internal id of each element by its label, of deleted ones as well. */
  ids: Map<number, number>
  /** Of a cosine index; by internal id, with room for the added elements. */
  norms: Float32Array | undefined
  rows: Level0Chunk
  space: Space
  table: VectorTable
}

/** What it is read from, and for how many more elements there is to be room. */
export interface ImageSource {
  added: number
  folder: string
  space: Space
}

/** The table that an image's rows are. */
export function imageShape(
  {dimension, maxM0, offsetData, sizeDataPerElement}: HnswHeader,
  space: Space,
  rows: number,
) {
  const layout = {rowSize: sizeDataPerElement, vectorAt: offsetData}
  return {dimension, layout, mostRivals: maxM0, rows, space} satisfies TableShape
}

/**
 * Reads an index once, and finds everything wrong with it that matters to who goes on from it: H3 to H12 and H16.
 * Memory: the files, and 40 bytes for each element.
 *
 * @throws ChopsError `damaged` when it is not sound or too large for the memory of this machine
 */
export async function readImage(
  {added, folder, space}: ImageSource,
  options: ScanOptions = {},
): Promise<IndexImage> {
  const cosine = space === 'cosine'
  const header = await readHeader(folder, {cosine})
  const {curElementCount} = header
  const total = curElementCount + added
  const stored = cosine ? await readNorms(folder, header, {signal: options.signal}) : undefined
  if (stored) assertNoProblem(folder, normProblems(stored))

  // The header has been held against the size of the file.
  const table = allocate(folder, () => createTable(imageShape(header, space, total)))
  const {buffer} = table.floats
  const ids = new Map<number, number>()
  const graph = await loadGraph(folder, header, {
    ...options,
    image: buffer,
    onRows(chunk) {
      for (let row = 0; row < chunk.count; row++) {
        const label = chunk.label(row)
        if (ids.has(label)) throw unsound(folder, 'H12', `has the label ${label} twice`)
        const id = chunk.firstId + row
        ids.set(label, id)
        const squares = sumOfSquares(chunk.floats, chunk.vectorAt(row), header.dimension)
        // A search would never leave such a vector, nor find it.
        if (!Number.isFinite(squares))
          throw unsound(folder, 'H16', `has NaN or infinity in the vector of label ${label}`)
        if (stored && hasLostNorm(stored[id] as number, squares))
          throw unsound(folder, 'H16', `has a vector whose norm is 0 in length.bin: that of label ${label}`)
      }
    },
  })
  const rows = new Level0Chunk(header, total, buffer)
  rows.count = total
  return {folder, graph, ids, norms: stored && grown(stored, total), rows, space, table}
}

function unsound(folder: string, id: 'H12' | 'H16', what: string): Error {
  return problemError(folder, {file: 'data_level0.bin', id, what})
}
