import {expect} from 'chai'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {
  applyOperations,
  type IndexOperation,
  type NetOperations,
  netOperations,
} from '../../../core/src/hnsw/build/operations.js'
import {verifyIndex} from '../../../core/src/hnsw/build/verify-index.js'
import {checkIndexFiles} from '../../../core/src/hnsw/check.js'
import {extendImage} from '../../../core/src/hnsw/extend/extend-index.js'
import {readImage} from '../../../core/src/hnsw/extend/index-image.js'
import {writeImage} from '../../../core/src/hnsw/extend/write-image.js'
import {measureGraph} from '../../../core/src/hnsw/graph-report.js'
import {loadGraph} from '../../../core/src/hnsw/graph.js'
import {type HnswHeader, readHeader} from '../../../core/src/hnsw/header.js'
import {HNSW_FILES} from '../../../core/src/hnsw/problems.js'
import type {Space} from '../../../core/src/catalog/hnsw-parameters.js'
import {temporaryFolder} from '../../support/fixtures.js'
import {copyOfCosineSegment, damage, failure} from '../hnsw/segment-folders.js'
import {build, elements, numbers} from '../build/vectors.js'
import {countElements, readElements} from '../../support/elements.js'

/** Some of each kind, for an index with these labels. */
function someOperations(labels: readonly number[], dimension: number, count: number): IndexOperation[] {
  const vector = (seed: number) => numbers(dimension, seed)
  return labels.slice(0, 3 * count).flatMap((label, i): IndexOperation[] => {
    if (i % 3 === 0) return [{label, op: 'delete'}]
    if (i % 3 === 1) return [{label, op: 'update', vector: vector(i)}]
    return [{label: 10_000 + i, op: 'add', vector: vector(i)}]
  })
}

async function extend(folder: string, operations: IndexOperation[], space: Space) {
  const old = await readHeader(folder)
  const net = netOperations(operations, old.dimension, space)
  const outDir = temporaryFolder()
  const header = await extendFiles(folder, outDir, net, space)
  return {expected: applyOperations(await readElements(folder, old, space), net), header, old, outDir}
}

async function extendFiles(
  folder: string,
  outDir: string,
  operations: NetOperations,
  space: Space,
): Promise<HnswHeader> {
  const image = await readImage({added: operations.added.labels.length, folder, space})
  await extendImage(image, operations)
  return writeImage(
    outDir,
    image,
    Math.max((await readHeader(folder)).maxElements, image.graph.header.curElementCount),
  )
}

describe('extending an index', () => {
  it('carries operations out on an index that Chroma wrote, old rows first', async () => {
    const folder = copyOfCosineSegment()
    const before = HNSW_FILES.map((file) => readFileSync(join(folder, file)))
    const {labels} = await readElements(folder, await readHeader(folder), 'cosine')
    const {expected, header, old, outDir} = await extend(folder, someOperations([...labels], 8, 20), 'cosine')

    expect(header.curElementCount).to.equal(320)
    expect(header.maxElements).to.equal(Math.max(320, old.maxElements))
    expect(readdirSync(outDir).sort()).to.deep.equal([...HNSW_FILES].sort())
    expect(await checkIndexFiles(outDir, {cosine: true})).to.deep.equal([])
    expect(await countElements(outDir, header)).to.deep.equal({deleted: 120, live: 200})
    const {recall} = await verifyIndex({elements: expected, folder: outDir, space: 'cosine'})
    expect(recall).to.be.above(0.95)
    const rows = readFileSync(join(outDir, 'data_level0.bin'))
    const addedLabels = Array.from({length: 20}, (_, i) =>
      rows.readUInt32LE((300 + i) * header.sizeDataPerElement + header.labelOffset),
    )
    expect(addedLabels).to.deep.equal(Array.from({length: 20}, (_, i) => 10_002 + 3 * i))
    expect(HNSW_FILES.map((file) => readFileSync(join(folder, file)))).to.deep.equal(before)
  })

  for (const space of ['ip', 'l2'] as const) {
    it(`goes on from an index of its own for ${space}`, async () => {
      const given = elements(300, 13, space)
      const {folder} = await build({elements: given, space})
      const {expected, outDir} = await extend(folder, someOperations([...given.labels], 13, 30), space)
      const {recall} = await verifyIndex({elements: expected, folder: outDir, space})
      expect(recall).to.be.above(0.95)
    })
  }

  it('only sets marks when all it has to do is delete', async () => {
    const folder = copyOfCosineSegment()
    const {labels} = await readElements(folder, await readHeader(folder), 'cosine')
    const operations = [...labels].map((label): IndexOperation => ({label, op: 'delete'}))
    const {header, old, outDir} = await extend(folder, operations, 'cosine')
    expect(await countElements(outDir, header)).to.deep.equal({deleted: 300, live: 0})
    const rows = (of: string) => {
      const bytes = readFileSync(join(of, 'data_level0.bin')).subarray(0, 300 * old.sizeDataPerElement)
      for (let id = 0; id < 300; id++) bytes[id * old.sizeDataPerElement + 2] = 0
      return bytes
    }

    expect(rows(outDir).equals(rows(folder))).to.equal(true)
    expect(readFileSync(join(outDir, 'link_lists.bin'))).to.deep.equal(
      readFileSync(join(folder, 'link_lists.bin')),
    )
  })

  it('adds to an index with few live elements left, where hnswlib by itself crashes', async () => {
    const given = elements(1000, 3, 'l2')
    const {folder} = await build({elements: given, M: 2, space: 'l2'}, 'hnswlib-node')
    const deletions = [...given.labels]
      .filter((_, i) => i % 50 !== 0)
      .map((label): IndexOperation => ({label, op: 'delete'}))
    const {outDir: deleted} = await extend(folder, deletions, 'l2')
    const additions = Array.from({length: 300}, (_, i): IndexOperation => ({
      label: 9000 + i,
      op: 'add',
      vector: numbers(3, i),
    }))
    const {expected, header, outDir} = await extend(deleted, additions, 'l2')
    expect(await countElements(outDir, header)).to.deep.equal({deleted: 980, live: 320})
    await verifyIndex({elements: expected, folder: outDir, space: 'l2'})
  })

  it('fills an empty index', async () => {
    const {folder} = await build({elements: elements(0, 4, 'cosine'), space: 'cosine'})
    const additions = [1, 2, 3].map((label): IndexOperation => ({
      label,
      op: 'add',
      vector: numbers(4, label),
    }))
    const {expected, outDir} = await extend(folder, additions, 'cosine')
    expect(await verifyIndex({elements: expected, folder: outDir, space: 'cosine'})).to.deep.equal({
      recall: 1,
      sampleSize: 3,
    })
  })

  it('inserts all elements anew when every one is updated, the entry point too', async () => {
    const given = elements(300, 9, 'l2')
    const {folder} = await build({elements: given, space: 'l2'}, 'hnswlib-node')
    const updates = [...given.labels].map((label, i): IndexOperation => ({
      label,
      op: 'update',
      vector: numbers(9, 500 + i),
    }))
    const {expected, outDir} = await extend(folder, updates, 'l2')
    const {recall} = await verifyIndex({elements: expected, folder: outDir, space: 'l2'})
    expect(recall).to.be.above(0.95)
    expect(await checkIndexFiles(outDir, {cosine: false})).to.deep.equal([])
  })

  it('keeps every rule, every element in reach and the recall over many rounds of changes', async () => {
    let {labels} = elements(800, 12, 'cosine')
    let {folder} = await build({elements: elements(800, 12, 'cosine'), M: 6, space: 'cosine'})
    for (let round = 0; round < 12; round++) {
      const vector = (i: number) => numbers(12, 1000 * (round + 1) + i)
      const operations = [...labels].slice(0, 120).map((label, i): IndexOperation => {
        if (i % 2 === 0) return {label, op: 'delete'}
        return {label, op: 'update', vector: vector(i)}
      })
      for (let i = 0; i < 60; i++)
        operations.push({label: 10_000 + 100 * round + i, op: 'add', vector: vector(200 + i)})
      const {expected, header, outDir} = await extend(folder, operations, 'cosine')
      expect(await checkIndexFiles(outDir, {cosine: true})).to.deep.equal([])
      const report = await measureGraph(await loadGraph(outDir, header))
      expect(report).to.include({live: 800, unreachable: 0})
      const {recall} = await verifyIndex({elements: expected, folder: outDir, sample: 100, space: 'cosine'})
      expect(recall).to.be.above(0.93)
      // Those that were changed go to the end, so that all have their turn.
      labels = [...expected.labels.slice(60), ...expected.labels.slice(0, 60)]
      folder = outDir
    }
  })

  for (const [what, says, spoil] of [
    ['a link out of the index', /out of the index/, (bytes, row) => bytes.writeUInt32LE(300, row(5) + 4)],
    [
      'NaN, even in a deleted element',
      /NaN or infinity in the vector of label 22/,
      (bytes, row) => {
        bytes.writeFloatLE(Number.NaN, row(5) + 68)
        bytes[row(5) + 2] = 1
      },
    ],
    ['a label twice', /the label 22 twice/, (bytes, row) => bytes.copyWithin(row(6), row(5), row(6))],
  ] as [string, RegExp, (bytes: Buffer, row: (id: number) => number) => void][]) {
    it(`does not go on from an index with ${what}`, async () => {
      const {folder, header} = await build({elements: elements(300, 4, 'l2'), space: 'l2'}, 'hnswlib-node')
      damage(folder, 'data_level0.bin', (bytes) => {
        spoil(bytes, (id) => id * header.sizeDataPerElement)
      })
      const {kind, message} = await failure(readImage({added: 0, folder, space: 'l2'}))
      expect(kind).to.equal('damaged')
      expect(message).to.match(says)
    })
  }

  it('refuses labels that contradict the index, and leaves no half-made file', async () => {
    const {folder} = await build({elements: elements(20, 3, 'l2'), space: 'l2'}, 'hnswlib-node')
    const refused = async (operation: IndexOperation) => {
      const outDir = temporaryFolder()
      const operations = netOperations([operation], 3, 'l2')
      const {message} = await failure(extendFiles(folder, outDir, operations, 'l2'))
      expect(readdirSync(outDir)).to.deep.equal([])
      return message
    }

    expect(await refused({label: 8, op: 'delete'})).to.contain('no live element with label 8')
    expect(await refused({label: 8, op: 'update', vector: numbers(3, 1)})).to.contain(
      'no live element with label 8',
    )
    expect(await refused({label: 10, op: 'add', vector: numbers(3, 1)})).to.contain(
      'already has an element with label 10',
    )
  })
})
