import {expect} from 'chai'
import {cpSync} from 'node:fs'

import type {HnswFile} from '../../../core/src/hnsw/problems.js'

import {type IndexOperation, netOperations} from '../../../core/src/hnsw/build/operations.js'
import {extendImage} from '../../../core/src/hnsw/extend/extend-index.js'
import {readImage} from '../../../core/src/hnsw/extend/index-image.js'
import {verifyExtended} from '../../../core/src/hnsw/extend/verify-extended.js'
import {writeImage} from '../../../core/src/hnsw/extend/write-image.js'
import {readHeader} from '../../../core/src/hnsw/header.js'
import {temporaryFolder} from '../../support/fixtures.js'
import {build, elements, numbers} from '../build/vectors.js'
import {damage, failure} from '../hnsw/segment-folders.js'

/** Labels of the elements 0 to 199 are 7, 10, 13, ...; the operations touch the first three and add two. */
const OPERATIONS: IndexOperation[] = [
  {label: 7, op: 'delete'},
  {label: 10, op: 'update', vector: numbers(9, 5)},
  {label: 9000, op: 'add', vector: numbers(9, 6)},
  {label: 9001, op: 'add', vector: numbers(9, 7)},
]

/** Built once: only copies are damaged. */
let sound: ReturnType<typeof extendOnce> | undefined

async function extended() {
  sound ??= extendOnce()
  const newFolder = temporaryFolder()
  const index = await sound
  cpSync(index.newFolder, newFolder, {recursive: true})
  return {...index, newFolder}
}

async function extendOnce() {
  const given = elements(200, 9, 'cosine')
  const {folder: oldFolder} = await build({elements: given, space: 'cosine'}, 'hnswlib-node')
  const operations = netOperations(OPERATIONS, 9, 'cosine')
  const image = await readImage({added: 2, folder: oldFolder, space: 'cosine'})
  await extendImage(image, operations)
  const newFolder = temporaryFolder()
  await writeImage(newFolder, image, 202)
  const labels = [...[...given.labels].slice(1), 9000, 9001]
  return {image, labels, newFolder, oldFolder, operations}
}

describe('verifying an extended index', () => {
  it('passes what holds the old rows, the operations and nothing else', async () => {
    let last = 0
    const {recall, sampleSize} = await verifyExtended({
      ...(await extended()),
      onProgress(done, total) {
        expect(done).to.be.at.least(last)
        expect(total).to.equal(404)
        last = done
      },
    })
    expect(sampleSize).to.equal(100)
    expect(recall).to.be.above(0.95)
    expect(last).to.equal(404)
  })

  const wrong: [string, RegExp, HnswFile, (bytes: Buffer, row: (id: number) => number) => void][] = [
    ['a bit of an old vector', /another vector for label 67/, 'data_level0.bin', flip(20)],
    ['a bit of an updated vector', /another vector for label 10$/, 'data_level0.bin', flip(1)],
    ['a bit of an added vector', /another vector for label 9001/, 'data_level0.bin', flip(201)],
    ['an old norm', /another vector for label 67/, 'length.bin', (bytes) => bytes.writeFloatLE(9, 4 * 20)],
    ['an updated norm', /another vector for label 10$/, 'length.bin', (bytes) => bytes.writeFloatLE(9, 4)],
    ['an added norm', /another vector for label 9000/, 'length.bin', (bytes) => bytes.writeFloatLE(9, 800)],
    [
      'a lost mark',
      /a label 7 that does not belong/,
      'data_level0.bin',
      (bytes) => {
        bytes[2] = 0
      },
    ],
    [
      'a mark too many',
      /lacks 1 elements/,
      'data_level0.bin',
      (bytes, row) => {
        bytes[row(20) + 2] = 1
      },
    ],
    [
      'a row in the place of another',
      /has label 70 for element 20, not 67/,
      'data_level0.bin',
      (bytes, row) => bytes.copyWithin(row(20), row(21), row(22)),
    ],
    [
      'a link out of the index',
      /out of the index/,
      'data_level0.bin',
      (bytes, row) => bytes.writeUInt32LE(202, row(20) + 4),
    ],
  ]
  for (const [what, says, file, change] of wrong) {
    it(`finds ${what}`, async () => {
      const index = await extended()
      const {sizeDataPerElement} = await readHeader(index.newFolder)
      damage(index.newFolder, file, (bytes) => {
        change(bytes, (id) => id * sizeDataPerElement)
      })
      const {kind, message} = await failure(verifyExtended(index))
      expect(kind).to.equal('damaged')
      expect(message.split(';', 1)[0]).to.match(says)
    })
  }

  it('finds an element that the id map has and the index has not', async () => {
    const index = await extended()
    const {message} = await failure(verifyExtended({...index, labels: [...index.labels, 4711]}))
    expect(message).to.contain('lacks 1 elements')
  })
})

/** Changes the last bit of a vector's second number; M is 8, so vectors begin at byte 68 of a row. */
function flip(id: number) {
  return (bytes: Buffer, row: (id: number) => number) => {
    const at = row(id) + 68 + 4
    bytes[at] = (bytes[at] ?? 0) ^ 1
  }
}
