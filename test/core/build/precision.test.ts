import {expect} from 'chai'
import {elementsForSpace, type IndexElements} from '../../../core/src/hnsw/build/elements.js'
import {choosePrecision} from '../../../core/src/hnsw/build/precision.js'
import {verifyIndex} from '../../../core/src/hnsw/build/verify-index.js'
import type {Space} from '../../../core/src/catalog/hnsw-parameters.js'
import {build, numbers} from './vectors.js'

const COUNT = 4000
const DIMENSION = 64

/** Vectors around fifty centres, which differ from theirs by so much in each number. */
function clusters(spread: number, space: Space): IndexElements {
  const centres = numbers(50 * DIMENSION, 1)
  const vectors = numbers(COUNT * DIMENSION, 2).map((value, i) => {
    const element = Math.floor(i / DIMENSION)
    return (centres[(element % 50) * DIMENSION + (i % DIMENSION)] as number) + spread * value
  })
  return elementsForSpace(
    {dimension: DIMENSION, labels: Float64Array.from(vectors.keys()).subarray(0, COUNT), vectors},
    space,
  )
}

describe('the precision in which a graph is built', () => {
  for (const space of ['cosine', 'ip', 'l2'] as const) {
    it(`is half of f32 where it tells neighbours apart (${space})`, async () => {
      expect(await choosePrecision(clusters(0.5, space), space)).to.equal('bf16')
    })
  }

  it('is all of f32 where neighbours are near copies of each other, which costs recall otherwise', async () => {
    const copies = clusters(0.01, 'cosine')
    expect(await choosePrecision(copies, 'cosine')).to.equal('f32')
    const recallIn = async (precision: 'bf16' | 'f32'): Promise<number> => {
      const {folder} = await build({elements: copies, precision, space: 'cosine'}, 'usearch')
      return (await verifyIndex({elements: copies, folder, space: 'cosine'})).recall
    }

    expect(await recallIn('f32')).to.be.above((await recallIn('bf16')) + 0.01)
  })

  it('is all of f32 where rounding makes all vectors the same, and their order a matter of chance', async () => {
    const near = clusters(1, 'l2')
    const far = {...near, vectors: near.vectors.map((value) => 1000 + value)}
    expect(await choosePrecision(far, 'l2')).to.equal('f32')
  })

  it('costs no recall where half of it is chosen for vectors that are hard to search', async () => {
    const elements = {
      dimension: DIMENSION,
      labels: [...Array.from({length: COUNT}).keys()],
      vectors: numbers(COUNT * DIMENSION, 3),
    }
    expect(await choosePrecision(elements, 'l2')).to.equal('bf16')
    const recallIn = async (precision: 'bf16' | 'f32'): Promise<number> => {
      const {folder} = await build({elements, precision, space: 'l2'}, 'usearch')
      return (await verifyIndex({elements, folder, space: 'l2'})).recall
    }

    expect(await recallIn('bf16')).to.be.within((await recallIn('f32')) - 0.02, 1)
  })

  it('is half of f32 for exact copies, of which one is as good as another', async () => {
    expect(await choosePrecision(clusters(0, 'cosine'), 'cosine')).to.equal('bf16')
  })

  it('is all of f32 where there is little to build', async () => {
    const few = {...clusters(0.5, 'l2')}
    const {labels, vectors} = few
    const elements = {...few, labels: labels.slice(0, 900), vectors: vectors.subarray(0, 900 * DIMENSION)}
    expect(await choosePrecision(elements, 'l2')).to.equal('f32')
  })
})
