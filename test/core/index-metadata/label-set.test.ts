import {expect} from 'chai'
import fc from 'fast-check'

import {LabelSet} from '../../../core/src/hnsw/label-set.js'

describe('LabelSet', () => {
  const dense = fc.array(fc.nat(300), {maxLength: 200})
  const sparse = fc.array(fc.nat(Number.MAX_SAFE_INTEGER), {maxLength: 50})
  for (const [name, labels] of Object.entries({dense, sparse})) {
    it(`has the ${name} labels that were added, and no others`, () => {
      fc.assert(
        fc.property(labels, sparse, (labels, others) => {
          const set = new LabelSet()
          for (const label of labels) set.add(label)
          const expected = new Set(labels)
          const neighbours = labels.flatMap((label) => [
            label,
            label + 1,
            Math.max(0, label - 1),
            label + 2 ** 32,
          ])
          for (const label of [0, ...neighbours, ...others])
            expect(set.has(label)).to.equal(expected.has(label))
          expect(set.max).to.equal(Math.max(0, ...labels))
          expect(set.size).to.equal(expected.size)
        }),
      )
    })
  }

  it('does not grow with the values of its labels', () => {
    const set = new LabelSet()
    for (let label = 1; label <= 3000; label++) set.add(label * 2 ** 40)
    expect(set.has(2 ** 40)).to.equal(true)
    expect(set.has(2 ** 40 + 1)).to.equal(false)
  })
})
