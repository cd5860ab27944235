import {expect} from 'chai'
import {truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {headerOf} from '../../../core/src/hnsw/build/index-files.js'
import {convertUsearchFile} from '../../../core/src/hnsw/build/usearch-file.js'
import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {readNorms} from '../../../core/src/hnsw/length.js'
import {level0Chunks} from '../../../core/src/hnsw/level0.js'
import {temporaryFolder} from '../../support/fixtures.js'
import {failure} from '../hnsw/segment-folders.js'

const M = 2

interface Node {
  key: number
  /** Links of each level. */
  lists: number[][]
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i)
  return bytes
}

function u64(...values: number[]): Buffer {
  return u32(...values.flatMap((value) => [value, 0]))
}

function i16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length)
  for (const [i, value] of values.entries()) bytes.writeInt16LE(value, 2 * i)
  return bytes
}

/** A file as usearch saves it, of nodes with one dimension; unused room of a list holds what was there before. */
function usearchFile(
  nodes: Node[],
  {entry, magic = 'usearch', maxLevel}: {entry: number; magic?: string; maxLevel: number},
): string {
  const list = (links: number[], room: number) =>
    u32(links.length, ...links, ...Array.from({length: room - links.length}, () => 0xee))
  const head = Buffer.alloc(64)
  head.write(magic)
  const path = join(temporaryFolder(), 'saved')
  const levels = nodes.map(({lists}) => lists.length - 1)
  writeFileSync(
    path,
    Buffer.concat([
      u32(nodes.length, 4, ...nodes.map(() => 0)),
      head,
      u64(nodes.length, M, 2 * M, maxLevel, entry),
      i16(...levels),
      ...nodes.flatMap(({key, lists}) => [
        u64(key),
        i16(lists.length - 1),
        ...lists.map((links, level) => list(links, level === 0 ? 2 * M : M)),
      ]),
    ]),
  )
  return path
}

describe('a file that usearch saved', () => {
  const elements = {
    dimension: 1,
    labels: [11, 2 ** 33 + 5, 13],
    norms: Float32Array.of(1, 2, 3),
    vectors: Float32Array.of(0.1, 0.2, 0.3),
  }
  const header = headerOf({
    curElementCount: 3,
    dimension: 1,
    efConstruction: 10,
    enterpoint: 0,
    M,
    maxElements: 3,
    maxLevel: -1,
  })
  // Two threads put the second element in the first slot; slot 2 got a link to itself, slot 1 one twice.
  const nodes: Node[] = [
    {key: 1, lists: [[1, 2], [2]]},
    {key: 0, lists: [[0, 0, 2]]},
    {
      key: 2,
      lists: [
        [2, 0, 1],
        [2, 0],
      ],
    },
  ]

  it('becomes rows in the order of its slots, without links to itself or twice', async () => {
    const outDir = temporaryFolder()
    const converted = await convertUsearchFile(
      usearchFile(nodes, {entry: 2, maxLevel: 1}),
      {elements, outDir},
      header,
    )
    expect(converted).to.include({enterpoint: 2, maxLevel: 1})
    const graph = await loadGraph(outDir, converted)
    expect([...graph.level0Counts]).to.deep.equal([2, 2, 2])
    expect([...graph.level0Links]).to.deep.equal([1, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0])
    expect([...graph.levels]).to.deep.equal([1, 0, 1])
    expect([...graph.upperLists]).to.deep.equal([1, 2, 0, 1, 0, 0])
  })

  it('gives each slot the vector, label and norm of its key', async () => {
    const outDir = temporaryFolder()
    const converted = await convertUsearchFile(
      usearchFile(nodes, {entry: 2, maxLevel: 1}),
      {elements, outDir},
      header,
    )
    for await (const chunk of level0Chunks(outDir, converted)) {
      expect([0, 1, 2].map((row) => chunk.label(row))).to.deep.equal([2 ** 33 + 5, 11, 13])
      expect([0, 1, 2].map((row) => chunk.floats[chunk.vectorAt(row)])).to.deep.equal([
        ...Float32Array.of(0.2, 0.1, 0.3),
      ])
    }

    expect([...(await readNorms(outDir, converted))]).to.deep.equal([2, 1, 3])
  })

  it('is refused when the disk was too full for its end', async () => {
    for (const size of [5, 90, 140, 200]) {
      const path = usearchFile(nodes, {entry: 2, maxLevel: 1})
      truncateSync(path, size)
      const error = await failure(convertUsearchFile(path, {elements, outDir: temporaryFolder()}, header))
      expect(error.message).to.contain('written only in part')
    }
  })

  it('is refused when another version laid it out', async () => {
    for (const path of [
      usearchFile(nodes, {entry: 2, magic: 'otherth', maxLevel: 1}),
      usearchFile(nodes, {entry: 3, maxLevel: 1}),
      usearchFile([...nodes, {key: 3, lists: [[]]}], {entry: 2, maxLevel: 1}),
    ]) {
      const error: unknown = await convertUsearchFile(
        path,
        {elements, outDir: temporaryFolder()},
        header,
      ).catch((error_: unknown) => error_)
      expect(error).to.be.an('error').with.property('message').that.contains('another layout')
    }
  })
})
