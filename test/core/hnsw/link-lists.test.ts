import {expect} from 'chai'

import {readHeader} from '../../../core/src/hnsw/header.js'
import {linkListProblems, readLevels} from '../../../core/src/hnsw/link-lists.js'
import {copyOfCosineSegment, damage, rules, writeLargeSegment} from './segment-folders.js'

const LIST = 4 * 8 + 4

/** Where in the file the record of the first element with at least `level` lists begins. */
function recordWithLevel(bytes: Buffer, level: number): {at: number; id: number} {
  for (let at = 0, id = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at), id++) {
    if (bytes.readUInt32LE(at) >= level * LIST) return {at, id}
  }

  throw new Error(`no element has level ${level}`)
}

async function problemsAfter(change: (bytes: Buffer) => Buffer | void) {
  const folder = copyOfCosineSegment()
  const header = await readHeader(folder)
  damage(folder, 'link_lists.bin', change)
  return linkListProblems(folder, header)
}

describe('link_lists.bin', () => {
  it('gives each element its level', async () => {
    const folder = copyOfCosineSegment()
    const header = await readHeader(folder)
    const read = await readLevels(folder, header)
    if ('broken' in read) throw new Error(read.broken.what)
    const histogram = [0, 1, 2, 3].map((level) => read.levels.filter((other) => other === level).length)
    expect(histogram).to.deep.equal([265, 28, 6, 1])
    expect(read.levels[header.enterpoint]).to.equal(3)
    expect(read.runaway).to.equal(undefined)
  })

  it('is walked over the borders of the chunks it is read in', async () => {
    const {folder, header} = writeLargeSegment(300_000)
    // Element 262,140 gets a list; the length of its record is the last word of the first MiB.
    damage(folder, 'link_lists.bin', (bytes) => {
      const at = 12 + 4 * 262_140
      const record = Buffer.alloc(16)
      record.writeUInt32LE(12)
      record.writeUInt16LE(1, 4)
      return Buffer.concat([bytes.subarray(0, at), record, bytes.subarray(at + 4)])
    })
    const read = await readLevels(folder, header)
    if ('broken' in read) throw new Error(read.broken.what)
    expect(read.levels.reduce((sum, level) => sum + level, 0)).to.equal(2)
    expect([read.levels[0], read.levels[262_140]]).to.deep.equal([1, 1])
    expect(await linkListProblems(folder, header)).to.deep.equal([])
  })

  const lengths: [what: string, length: number, sentence: RegExp][] = [
    ['that is no whole number of lists', LIST + 4, /40 bytes, not a multiple of 36/],
    ['above the highest level', 4 * LIST, /4 levels, above the highest level 3/],
    ['of gigabytes', 36 * 119_304_647, /119304647 levels, above/],
    ['that ends behind the file', 3 * LIST, /ends inside a record/],
  ]
  for (const [what, length, sentence] of lengths) {
    it(`refuses a record ${what} (H9)`, async () => {
      const problems = await problemsAfter((bytes) => {
        bytes.writeUInt32LE(length, bytes.length - 4)
      })
      expect(rules(problems)).to.deep.equal(['link_lists.bin H9'])
      expect(problems[0]?.what).to.match(sentence)
    })
  }

  for (const extra of [1, 4, 100_000]) {
    it(`finds ${extra} bytes after the last record (H9) and still gives the levels`, async () => {
      const folder = copyOfCosineSegment()
      const header = await readHeader(folder)
      damage(folder, 'link_lists.bin', (bytes) => Buffer.concat([bytes, Buffer.alloc(extra)]))
      const problems = await linkListProblems(folder, header)
      expect(problems).to.have.length(1)
      expect(problems[0]).to.include({file: 'link_lists.bin', id: 'H9'})
      expect(problems[0]?.what).to.contain(`has run away: it is ${2748 + extra} bytes long`)
      expect(await readLevels(folder, header)).to.have.property('levels')
    })
  }

  const links: [what: string, sentence: RegExp, change: (list: Buffer, id: number) => void][] = [
    [
      'more links than fit',
      /1 list with more links than fit: .+ with 9$/,
      (list) => list.writeUInt16LE(9, 0),
    ],
    ['a link out of the index', /1 link out of the index .+ to 300$/, (list) => list.writeUInt32LE(300, 4)],
    ['a link to itself', /1 link from an element to itself/, (list, id) => list.writeUInt32LE(id, 4)],
    ['a link twice', /1 link twice in one list/, (list) => list.writeUInt32LE(list.readUInt32LE(4), 8)],
    [
      'a link to a lower element',
      /1 link above the level of the target: .+ to 0$/,
      (list) => list.writeUInt32LE(0, 4),
    ],
  ]
  for (const [what, sentence, change] of links) {
    it(`finds ${what} above level 0 (H10)`, async () => {
      const problems = await problemsAfter((bytes) => {
        const {at, id} = recordWithLevel(bytes, 2)
        // The list of level 2 follows that of level 1.
        change(bytes.subarray(at + 4 + LIST, at + 4 + 2 * LIST), id)
      })
      expect(rules(problems)).to.deep.equal(['link_lists.bin H10'])
      expect(problems).to.have.length(1)
      expect(problems[0]?.what).to.match(sentence)
    })
  }

  it('finds an entry point below the highest level (H11)', async () => {
    const folder = copyOfCosineSegment()
    const header = await readHeader(folder)
    const read = await readLevels(folder, header)
    const enterpoint = 'levels' in read ? read.levels.indexOf(0) : -1
    const problems = await linkListProblems(folder, {...header, enterpoint})
    expect(rules(problems)).to.deep.equal(['header.bin H11'])
    expect(problems[0]?.what).to.match(
      /names element \d+ of level 3 as entry point, but .+ gives it level 0$/,
    )
  })
})
