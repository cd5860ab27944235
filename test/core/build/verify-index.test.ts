import {expect} from 'chai'
import {cpSync} from 'node:fs'
import {elementsForSpace} from '../../../core/src/hnsw/build/elements.js'
import {verifyIndex} from '../../../core/src/hnsw/build/verify-index.js'
import type {HnswHeader} from '../../../core/src/hnsw/header.js'
import type {HnswFile} from '../../../core/src/hnsw/problems.js'
import {temporaryFolder} from '../../support/fixtures.js'
import {damage, failure} from '../hnsw/segment-folders.js'
import {build, elements} from './vectors.js'

describe('verifying a new index', () => {
  const given = elements(200, 9, 'cosine')
  let sound: string
  let header: HnswHeader

  before(async () => {
    ;({folder: sound, header} = await build({elements: given, space: 'cosine'}, 'hnswlib-node'))
  })

  async function verdict(file: HnswFile, change: (bytes: Buffer) => void, expected = given) {
    const folder = temporaryFolder()
    cpSync(sound, folder, {recursive: true})
    damage(folder, file, change)
    const error = await failure(verifyIndex({elements: expected, folder, space: 'cosine'}))
    expect(error.kind).to.equal('damaged')
    return error.message
  }

  it('passes what was built and counts the work up to the end', async () => {
    let last = 0
    const {recall, sampleSize} = await verifyIndex({
      elements: given,
      folder: sound,
      onProgress(done, total) {
        expect(done).to.be.at.least(last)
        last = done / total < 1 ? done : total
      },
      sample: 30,
      space: 'cosine',
    })
    expect(sampleSize).to.equal(30)
    expect(recall).to.be.above(0.95)
    expect(last).to.equal(400)
  })

  it('measures again on more elements before it takes a recall for low', async () => {
    const options = {elements: given, folder: sound, sample: 10, space: 'cosine'} as const
    const sampleSize = async (enough: number) => (await verifyIndex({...options, enough})).sampleSize
    expect(await sampleSize(0.5)).to.equal(10)
    expect(await sampleSize(1.1)).to.equal(100)
  })

  it('finds one flipped bit in a vector', async () => {
    const message = await verdict('data_level0.bin', (bytes) => {
      const at = 120 * header.sizeDataPerElement + header.offsetData + 17
      bytes[at] = (bytes[at] ?? 0) ^ 1
    })
    // hnswlib-node keeps the order: internal id 120 has label 120 * 3 + 7.
    expect(message).to.contain('another vector for label 367')
  })

  it('finds a changed norm', async () => {
    const message = await verdict('length.bin', (bytes) => {
      bytes.writeFloatLE(2, 4 * 60)
    })
    expect(message).to.contain('another vector for label 187')
  })

  it('finds an element that is missing or marked as deleted', async () => {
    const missing = await verdict('header.bin', () => {}, elements(201, 9, 'cosine'))
    expect(missing).to.contain('200 elements instead of 201')
    const deleted = await verdict('data_level0.bin', (bytes) => {
      bytes[2] = 1
    })
    expect(deleted).to.contain('199 elements instead of 200')
  })

  it('finds a foreign label and one that stands twice', async () => {
    const foreign = await verdict('data_level0.bin', (bytes) => {
      bytes.writeUInt32LE(8, 10 * header.sizeDataPerElement + header.labelOffset)
    })
    expect(foreign).to.contain('label 8 that does not belong')
    const twice = await verdict('data_level0.bin', (bytes) => {
      const [from, to] = [9 * header.sizeDataPerElement, 10 * header.sizeDataPerElement]
      bytes.copyWithin(to, from, to)
    })
    expect(twice).to.contain('label 34 twice')
  })

  it('finds a link out of the index on each level', async () => {
    const level0 = await verdict('data_level0.bin', (bytes) => {
      bytes.writeUInt32LE(200, 4)
    })
    expect(level0).to.contain('out of the index')
    const upper = await verdict('link_lists.bin', (bytes) => {
      let record = 0
      while (bytes.readUInt32LE(record) === 0) record += 4
      bytes.writeUInt32LE(200, record + 8)
    })
    expect(upper).to.contain('out of the index')
  })

  it('measures a low recall where the links lead to the wrong elements', async () => {
    // The same graph over vectors in another order: every link is sound and none is near.
    const folder = temporaryFolder()
    cpSync(sound, folder, {recursive: true})
    const far = elementsForSpace(elements(200, 9, 'l2', 77), 'cosine')
    damage(folder, 'data_level0.bin', (bytes) => {
      for (let id = 0; id < 200; id++) {
        for (let i = 0; i < 9; i++) {
          bytes.writeFloatLE(
            far.vectors[id * 9 + i] as number,
            id * header.sizeDataPerElement + header.offsetData + 4 * i,
          )
        }
      }
    })
    damage(folder, 'length.bin', (bytes) => {
      for (let id = 0; id < 200; id++) bytes.writeFloatLE(far.norms?.[id] as number, 4 * id)
    })
    // Cut every list of level 0 down to two links, so that ef does not make up for it.
    damage(folder, 'data_level0.bin', (bytes) => {
      for (let id = 0; id < 200; id++) bytes.writeUInt16LE(2, id * header.sizeDataPerElement)
    })
    const {recall} = await verifyIndex({elements: far, folder, space: 'cosine'})
    expect(recall).to.be.below(0.9)
  })
})
