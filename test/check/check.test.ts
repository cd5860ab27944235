import {expect} from 'chai'

import {type FixtureName, FIXTURES, unpackFixture} from '../support/fixtures.js'
import {giveNulDocuments} from '../support/full-text.js'
import {appendManyAdds, locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'
import {BREAKS} from './breaks.js'
import {alarmsOf, check, copyOfFixture, notesOf, usualNotesOf} from './support.js'

describe('db check of directories as their engines left them', () => {
  for (const name of FIXTURES) {
    it(`finds nothing but information in ${name}, and every vector`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const before = fingerprint(persistDir)
      const found = await check(persistDir, {allIds: true, measureReach: true})
      expect(found.findings.filter(({severity}) => severity !== 'I')).to.deep.equal([])
      expect(found.healthy).to.equal(true)
      const records = new Map(expected.collections.map(({count, id}) => [id, count]))
      for (const row of found.ledger) {
        expect(row.records, row.name).to.equal(records.get(row.id))
        expect((row.indexed ?? 0) + (row.inLogOnly ?? 0), row.name).to.equal(row.records)
        expect([row.lost, row.withoutRecord], row.name).to.deep.equal([0, 0])
      }

      expect(found.ledger).to.have.length(expected.collections.length)
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }

  for (const name of FIXTURES) {
    it(`finds nothing in documents with a NUL character in ${name}`, async () => {
      const persistDir = copyOfFixture(name)
      expect(await withDatabase(persistDir, (db) => giveNulDocuments(db))).not.to.have.lengthOf(0)
      expect(alarmsOf(await check(persistDir))).to.deep.equal([])
    })
  }
})

describe('db check of a directory in which', () => {
  for (const {apply, finds, fixture = 'chroma-1.5.9' as FixtureName, informs = [], name} of BREAKS) {
    const ids = finds.length > 0 ? finds.join(' and ') : `${informs.join(' and ')} as information`
    it(`${name} finds ${ids}, and changes nothing`, async () => {
      const usual = await usualNotesOf(fixture)
      const persistDir = copyOfFixture(fixture)
      await apply(persistDir)
      const before = fingerprint(persistDir)
      const found = await check(persistDir)
      expect(alarmsOf(found)).to.deep.equal([...finds].sort())
      const notes = notesOf(found)
      expect(notes).to.include.members(informs)
      expect(notes.filter((id) => ![...informs, ...usual].includes(id))).to.deep.equal([])
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }
})

describe('db check of a collection with a low sync_threshold', () => {
  it('says when Chroma writes its index, and takes more waiting rows than that for no alarm', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const {id, topic} = await locate(persistDir, 'churned')
    const waiting = async () => {
      const {findings} = await check(persistDir)
      const finding = findings.find((finding) => finding.id === 'W6' && finding.collection?.id === id)
      return [finding?.severity, finding?.message]
    }

    const says =
      'log rows wait for the index, which Chroma writes about every 50 rows; up to 1000 can be normal.'
    expect(await waiting()).to.deep.equal(['I', `20 ${says}`])
    await appendManyAdds(persistDir, topic, 300, 8)
    expect(await waiting()).to.deep.equal(['I', `320 ${says}`])
  })
})
