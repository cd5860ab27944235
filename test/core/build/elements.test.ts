import {expect} from 'chai'
import {elementsForSpace, normalizeVectors} from '../../../core/src/hnsw/build/elements.js'
import {readHeader} from '../../../core/src/hnsw/header.js'
import {copyOfCosineSegment} from '../hnsw/segment-folders.js'
import {elements, numbers} from './vectors.js'
import {readElements} from '../../support/elements.js'

function floats(hex: string): Float32Array {
  const bytes = Buffer.from(hex, 'hex')
  return Float32Array.from({length: bytes.length / 4}, (_, i) => bytes.readFloatLE(4 * i))
}

describe('elements of an index', () => {
  // Embeddings of 13 dimensions given to Chroma 1.5.9, and what it wrote in data_level0.bin and length.bin.
  const ORIGINAL = floats(
    'ad244d4068c98040b7f35fc0c2ecd4bfb5925b4014b15d3f6f0d663d9dfbbdc0c17cb2c0ad540c40532a833f4c5f63bfc6949ebf' +
      '14fe00403c39d2bccf6a70bde63061c03ecbf9be9379c040d213924083de794022290340470a9cbf05fdba3bda66ed3e5c46993f',
  )
  const STORED = floats(
    'bdbf903e64beb53e3b059ebe5a3d16be3fee9a3ef16c9c3d2d53a23b440d06bf91e1fbbede08463eb219b93d0a6fa0bd20cadfbd' +
      '7356523eb8652bbbb803c4bbb799b7bed1a84bbd3bed1c3f5c32ee3e86b8cb3e88df553e2f71febd1574183a558e413dd7eef93d',
  )
  const NORMS = floats('f1673541dbfe1c41')

  it('normalises to the bytes that Chroma stores', () => {
    const vectors = Float32Array.from(ORIGINAL)
    expect(normalizeVectors(vectors, 13)).to.deep.equal(NORMS)
    expect(vectors).to.deep.equal(STORED)
  })

  it('gives a vector of zeros the norm 0 and leaves it as it is', () => {
    const vectors = new Float32Array(4)
    expect(normalizeVectors(vectors, 4)).to.deep.equal(new Float32Array(1))
    expect(vectors).to.deep.equal(new Float32Array(4))
  })

  it('leaves elements that are stored the same way untouched', () => {
    for (const space of ['cosine', 'ip', 'l2'] as const) {
      const given = elements(5, 3, space)
      const before = {
        norms: given.norms && Float32Array.from(given.norms),
        vectors: Float32Array.from(given.vectors),
      }
      const same = elementsForSpace(given, space)
      expect({norms: same.norms, vectors: same.vectors}).to.deep.equal(before)
    }
  })

  it('gives original embeddings back when a cosine index becomes another', () => {
    const originals = numbers(60, 3)
    const cosine = elementsForSpace(
      {dimension: 6, labels: numberedFrom1(10), vectors: Float32Array.from(originals)},
      'cosine',
    )
    const back = elementsForSpace(cosine, 'l2')
    expect(back.norms).to.equal(undefined)
    for (const [i, value] of back.vectors.entries()) {
      expect(value).to.be.closeTo(originals[i] as number, 2e-7 * Math.abs(originals[i] as number))
    }
  })

  it('reads the live elements of a segment with their norms', async () => {
    const folder = copyOfCosineSegment()
    const read = await readElements(folder, await readHeader(folder), 'cosine')
    expect(read.labels).to.have.lengthOf(200)
    expect(read.vectors).to.have.lengthOf(200 * 8)
    // Restored and normalised again, so every norm has to belong to its vector.
    const again = elementsForSpace(
      elementsForSpace({...read, vectors: Float32Array.from(read.vectors)}, 'l2'),
      'cosine',
    )
    for (const [i, norm] of (read.norms ?? []).entries()) {
      expect(again.norms?.[i]).to.be.closeTo(norm, 1e-5)
    }
  })
})

function numberedFrom1(count: number): number[] {
  return Array.from({length: count}, (_, i) => i + 1)
}
