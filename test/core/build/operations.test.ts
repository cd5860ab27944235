import {expect} from 'chai'
import {applyOperations, type IndexOperation, netOperations} from '../../../core/src/hnsw/build/operations.js'
import {elements} from './vectors.js'

const vector = (...values: number[]) => Float32Array.from(values)
const net = (...operations: IndexOperation[]) => netOperations(operations, 2, 'l2')

describe('operations on an index', () => {
  it('come to the last vector of each label', () => {
    const {added, deleted, updated} = net(
      {label: 5, op: 'update', vector: vector(1, 1)},
      {label: 9, op: 'add', vector: vector(2, 2)},
      {label: 5, op: 'update', vector: vector(3, 3)},
      {label: 9, op: 'update', vector: vector(4, 4)},
      {label: 6, op: 'update', vector: vector(5, 5)},
      {label: 6, op: 'delete'},
    )
    expect(added).to.deep.equal({dimension: 2, labels: [9], vectors: vector(4, 4)})
    expect(updated).to.deep.equal({dimension: 2, labels: [5], vectors: vector(3, 3)})
    expect([...deleted]).to.deep.equal([6])
  })

  it('come to nothing for a label that was added and deleted', () => {
    const {added, deleted} = net({label: 9, op: 'add', vector: vector(1, 1)}, {label: 9, op: 'delete'})
    expect(added.labels).to.deep.equal([])
    expect(deleted.size).to.equal(0)
  })

  it('normalise their vectors for a cosine index', () => {
    const {added} = netOperations([{label: 1, op: 'add', vector: vector(3, 4)}], 2, 'cosine')
    expect(added.norms).to.deep.equal(vector(5))
    expect(added.vectors).to.deep.equal(vector(0.6, 0.8))
  })

  const impossible: [string, IndexOperation[]][] = [
    [
      'a label added twice',
      [
        {label: 1, op: 'add', vector: vector(1, 1)},
        {label: 1, op: 'add', vector: vector(1, 1)},
      ],
    ],
    [
      'an update after the deletion',
      [
        {label: 1, op: 'delete'},
        {label: 1, op: 'update', vector: vector(1, 1)},
      ],
    ],
    [
      'a label deleted twice',
      [
        {label: 1, op: 'delete'},
        {label: 1, op: 'delete'},
      ],
    ],
    ['a vector of another dimension', [{label: 1, op: 'add', vector: vector(1, 1, 1)}]],
  ]
  for (const [what, operations] of impossible) {
    it(`are refused for ${what}`, () => {
      expect(() => net(...operations)).to.throw(RangeError)
    })
  }

  it('change elements in place and put added ones last', () => {
    const given = elements(4, 2, 'cosine')
    const [first, second] = [[...given.vectors.subarray(0, 2)], [...given.vectors.subarray(4, 6)]]
    const changes = netOperations(
      [
        {label: 10, op: 'delete'},
        {label: 16, op: 'update', vector: vector(0, 2)},
        {label: 99, op: 'add', vector: vector(3, 0)},
      ],
      2,
      'cosine',
    )
    const {labels, norms, vectors} = applyOperations(given, changes)
    expect([...labels]).to.deep.equal([7, 13, 16, 99])
    expect([...vectors]).to.deep.equal([...first, ...second, 0, 1, 1, 0])
    expect([...(norms ?? [])].slice(2)).to.deep.equal([2, 3])
  })

  it('need no more memory when they only delete', () => {
    const given = elements(4, 2, 'l2')
    const last = given.vectors.slice(6)
    const left = applyOperations(given, net({label: 7, op: 'delete'}, {label: 10, op: 'delete'}))
    expect([...left.labels]).to.deep.equal([13, 16])
    expect(left.vectors.buffer).to.equal(given.vectors.buffer)
    expect(left.vectors.slice(2)).to.deep.equal(last)
  })

  it('are refused when the elements contradict them', () => {
    expect(() => applyOperations(elements(4, 2, 'l2'), net({label: 8, op: 'delete'}))).to.throw(
      'does not exist',
    )
    const existing = net({label: 10, op: 'add', vector: vector(1, 1)})
    expect(() => applyOperations(elements(4, 2, 'l2'), existing)).to.throw('exists already')
  })
})
