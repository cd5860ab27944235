import {expect} from 'chai'

import type {Space} from '../../../core/src/catalog/hnsw-parameters.js'

import {roundedBytes} from '../../../core/src/hnsw/distance/rounded-table.js'
import type {RowDistances} from '../../../core/src/hnsw/distance/row-distances.js'
import {openRows, shareRows} from '../../../core/src/hnsw/distance/shared-rows.js'
import {fitsMemory} from '../../../core/src/hnsw/kernel/memory.js'
import {numbers} from '../build/vectors.js'

const ROWS = 9

const SPACES: readonly Space[] = ['cosine', 'ip', 'l2']

function shapeOf(space: Space, dimension: number) {
  return {dimension, mostRivals: 16, rows: ROWS, space}
}

/** The same vectors, rounded and as they are. */
function bothRows(space: Space, dimension: number, vectors: Float32Array): [RowDistances, RowDistances] {
  const shape = shapeOf(space, dimension)
  return [openRows(shareRows(shape, vectors, true)), openRows(shareRows(shape, vectors, false))]
}

function lengthsOf(vectors: Float32Array, dimension: number): number[] {
  return Array.from({length: ROWS}, (_, row) =>
    Math.hypot(...vectors.subarray(row * dimension, (row + 1) * dimension)),
  )
}

describe('the distances of rounded vectors', () => {
  for (const space of SPACES) {
    it(`are those of ${space} but for a ten-thousandth of the lengths, in every dimension`, () => {
      for (const dimension of [...Array.from({length: 40}, (_, i) => i + 1), 383, 384, 1536]) {
        // Lengths differ by orders of magnitude, as those of an ip or l2 collection may; one is zero.
        const vectors = numbers(ROWS * dimension, dimension).map(
          (value, i) => value * 10 ** (Math.floor(i / dimension) - 4) * (i < dimension ? 0 : 1),
        )
        const lengths = lengthsOf(vectors, dimension)
        const [rounded, exact] = bothRows(space, dimension, vectors)
        for (let i = 0; i < ROWS; i++) {
          for (let j = 0; j < ROWS; j++) {
            const scale = (lengths[i] as number) ** 2 + (lengths[j] as number) ** 2 + 1
            expect(rounded.distance(i, j), `${dimension}`).to.be.closeTo(exact.distance(i, j), 1e-4 * scale)
            expect(rounded.distance(j, i)).to.equal(rounded.distance(i, j))
          }
        }
      }
    })

    it(`are the same one by one and many at a time, in every dimension (${space})`, () => {
      for (const dimension of [...Array.from({length: 40}, (_, i) => i + 1), 128, 150]) {
        for (const [way, rows] of bothRows(space, dimension, numbers(ROWS * dimension, 3)).entries()) {
          for (let count = 0; count < ROWS; count++) {
            const others = Array.from({length: count}, (_, i) => (5 * i) % ROWS)
            rows.others.set(others)
            rows.rivals.set(others)
            const wanted = others.map((other) => rows.distance(other, 2))
            const found = [...rows.distancesTo(2, count).subarray(0, count)]
            // Whole numbers are added up without an error; sums of floats depend on their order.
            if (way === 0) expect(found, `${dimension}`).to.deep.equal(wanted)
            for (const [i, distance] of wanted.entries())
              expect(found[i], `${dimension}`).to.be.closeTo(distance, 1e-4)
            for (const [i, other] of others.entries()) {
              rows.others[0] = other
              expect(rows.distancesTo(2, 1)[0], 'wherever it stands').to.equal(found[i])
            }

            for (const limit of [-1e9, ...wanted, 1e9])
              expect(rows.firstNearer(2, count, limit)).to.equal(wanted.findIndex((d) => d < limit))
          }
        }
      }
    })
  }

  it('of an element to its copy are zero for l2', () => {
    const vectors = numbers(ROWS * 50, 4)
    vectors.copyWithin(50, 0, 50)
    const [rows] = bothRows('l2', 50, vectors)
    expect(rows.distance(0, 1)).to.be.closeTo(0, 1e-5)
  })

  it('take half the memory, and twice as many vectors fit', () => {
    const shape = {...shapeOf('ip', 384), rows: 1_000_000}
    expect(roundedBytes(shape)).to.be.below(0.52 * 4 * 384 * shape.rows)
    expect(fitsMemory(roundedBytes({...shape, rows: 5_000_000}))).to.equal(true)
    expect(fitsMemory(roundedBytes({...shape, rows: 6_000_000}))).to.equal(false)
  })
})
