import {expect} from 'chai'
import fc from 'fast-check'

import {IdTable} from '../../../core/src/hnsw/id-table.js'

describe('a table of id fingerprints', () => {
  it('answers as a map does', () => {
    const entries = fc.array(fc.tuple(fc.string({maxLength: 6, unit: 'grapheme'}), fc.nat()), {
      maxLength: 3000,
    })
    fc.assert(
      fc.property(entries, fc.array(fc.string({maxLength: 6})), (pairs, others) => {
        const map = new Map(pairs)
        const table = new IdTable()
        for (const [id, value] of pairs) table.set(id, value)
        expect(table.size).to.equal(map.size)
        for (const id of [...map.keys(), ...others]) expect(table.get(id)).to.equal(map.get(id))
        expect([...table.values()].sort((a, b) => a - b)).to.deep.equal(
          [...map.values()].sort((a, b) => a - b),
        )
      }),
      {numRuns: 30},
    )
  })

  it('keeps marks while it grows, and finds an entry of another table', () => {
    const table = new IdTable()
    const other = new IdTable()
    for (let i = 0; i < 100_000; i++) {
      const slot = table.set(`record-${i}`, i)
      table.setMarks(slot, i % 200)
      if (i % 3 === 0) other.set(`record-${i}`, -i)
    }

    for (let i = 0; i < 100_000; i += 97) {
      const slot = table.slotOf(`record-${i}`)
      expect([table.valueAt(slot), table.marksAt(slot)]).to.deep.equal([i, i % 200])
      const there = other.slotAs(table, slot)
      expect(there < 0 ? undefined : other.valueAt(there)).to.equal(i % 3 === 0 ? -i : undefined)
    }
  })
})
