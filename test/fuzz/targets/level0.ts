import {deepEqual, equal} from 'node:assert/strict'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {headerOf} from '../../../core/src/hnsw/build/index-files.js'
import {checkIndexFiles} from '../../../core/src/hnsw/check.js'
import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {measureGraph} from '../../../core/src/hnsw/graph-report.js'
import {encodeHeader, type HnswHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {copyOfCosineSegment} from '../../core/hnsw/segment-folders.js'
import {outcome, workFolder} from '../support.js'
import {countElements, readElements} from '../../support/elements.js'

const folder = workFolder()

/** Parameter bytes before the rows: M, dimension, and whether the space is cosine. */
const PREFIX = 3
const LARGEST = 8

/**
 * `data_level0.bin` under a sound header, where any rows can be read: the check and the readers see in them what a row
 * by row reading with a DataView sees.
 */
export async function fuzz(data: Buffer): Promise<void> {
  const [M, dimension, flag] = Uint8Array.from(data.subarray(0, PREFIX), (byte) => 1 + (byte % LARGEST))
  if (M === undefined || dimension === undefined || flag === undefined) return
  const rows = data.subarray(PREFIX)
  const header = writeIndex(rows, M, dimension)
  const cosine = flag % 2 === 0
  const seen = readNaively(rows, header, cosine)

  const problems = await checkIndexFiles(folder, {cosine})
  deepEqual(new Set(problems.map(({file, id}) => `${file} ${id}`)), seen.broken)
  deepEqual(await readHeader(folder), header)
  deepEqual(await countElements(folder, header), {
    deleted: header.curElementCount - seen.labels.length,
    live: seen.labels.length,
  })
  const {labels, vectors} = await readElements(folder, header, cosine ? 'cosine' : 'l2')
  // Of a label that stands twice the first element is read.
  const first = seen.labels.map((label, at) => seen.labels.indexOf(label) === at)
  deepEqual(
    [...labels],
    seen.labels.filter((_, at) => first[at]),
  )
  deepEqual(
    Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength),
    Buffer.concat(seen.vectors.filter((_, at) => first[at])),
  )
  const graph = await outcome(() => loadGraph(folder, header))
  equal(graph !== undefined, !seen.broken.has('data_level0.bin H10'))
  if (graph) equal((await measureGraph(graph)).live, seen.labels.length)
}

export function* seeds(): Generator<[string, Buffer]> {
  const rows = readFileSync(join(copyOfCosineSegment(), 'data_level0.bin'))
  const parameters = {M: 8, dimension: 8}
  const {sizeDataPerElement: size} = headerOf({...parameters, ...SHAPE, curElementCount: 1})
  // The links of the first rows lead to later ones, so that most of them lead out of the index.
  for (const [name, count] of [
    ['one', 1],
    ['twenty', 20],
  ] as const) {
    yield [`chroma-1.5.9-${name}`, Buffer.concat([Buffer.of(7, 7, 1), rows.subarray(0, count * size)])]
  }

  yield ['linked', Buffer.concat([Buffer.of(1, 0, 0), linkedRows(6)])]
}

const SHAPE = {efConstruction: 100, enterpoint: 0, maxElements: 0, maxLevel: 0}

/** The other files are as an index without levels has them, each vector being of length 1 by its norm. */
function writeIndex(rows: Buffer, M: number, dimension: number): HnswHeader {
  const {sizeDataPerElement} = headerOf({...SHAPE, curElementCount: 0, dimension, M})
  const count = Math.floor(rows.length / sizeDataPerElement)
  const entry = count === 0 ? {enterpoint: 0xff_ff_ff_ff, maxLevel: -1} : {}
  const header = headerOf({...SHAPE, ...entry, curElementCount: count, dimension, M, maxElements: count})
  writeFileSync(join(folder, 'header.bin'), encodeHeader(header))
  writeFileSync(join(folder, 'data_level0.bin'), rows)
  writeFileSync(join(folder, 'length.bin'), new Float32Array(count).fill(1))
  writeFileSync(join(folder, 'link_lists.bin'), new Uint32Array(count))
  return header
}

/** Labels and vectors of the live elements, and which rules the rows break. */
function readNaively(
  rows: Buffer,
  {curElementCount: count, dimension, labelOffset, maxM0, offsetData, sizeDataPerElement}: HnswHeader,
  cosine: boolean,
): {broken: Set<string>; labels: number[]; vectors: Buffer[]} {
  const broken = new Set<string>()
  const labels: number[] = []
  const all = new Set<number>()
  const vectors: Buffer[] = []
  for (let id = 0; id < count; id++) {
    const row = rows.subarray(id * sizeDataPerElement, (id + 1) * sizeDataPerElement)
    const links = Array.from({length: Math.min(maxM0, row.readUInt16LE(0))}, (_, i) =>
      row.readUInt32LE(4 + 4 * i),
    )
    const isSound =
      row.readUInt16LE(0) <= maxM0 &&
      new Set(links).size === links.length &&
      links.every((link) => link < count && link !== id)
    if (!isSound) broken.add('data_level0.bin H10')
    const label = Number(row.readBigUInt64LE(labelOffset))
    if (all.has(label)) broken.add('data_level0.bin H12')
    all.add(label)
    const values = Array.from({length: dimension}, (_, i) => row.readFloatLE(offsetData + 4 * i))
    const length = Math.hypot(...values)
    if (!(length < Infinity) || (cosine && Math.abs(length - 1) > 0.01)) broken.add('data_level0.bin H16')
    if ((row.readUInt8(2) & 1) === 1) continue
    labels.push(label)
    vectors.push(row.subarray(offsetData, labelOffset))
  }

  return {broken, labels, vectors}
}

/** Rows of M 2 and one dimension, each linked to its neighbours in a ring, every third deleted. */
function linkedRows(count: number): Buffer {
  return Buffer.concat(
    Array.from({length: count}, (_, id) => {
      const row = Buffer.alloc(32)
      row.writeUInt32LE(2 | (id % 3 === 0 ? 0x1_00_00 : 0), 0)
      row.writeUInt32LE((id + 1) % count, 4)
      row.writeUInt32LE((id + count - 1) % count, 8)
      row.writeFloatLE(1, 20)
      row.writeUInt32LE(id + 1, 24)
      return row
    }),
  )
}
