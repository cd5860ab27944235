import {expect} from 'chai'
import {statSync, truncateSync} from 'node:fs'
import {join} from 'node:path'

import type {Vacuum} from '../../plugins/ops-db/src/services/vacuum.js'

import {expectRefusals} from '../support/refusals.js'
import {chops, chopsJson} from '../support/cli.js'
import {type FixtureName, FIXTURES, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {expectSound, stateOf} from '../support/sound.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

/** Before sysdb migration 8 there is no table to record it in. */
const WITHOUT_LOG: FixtureName[] = ['chroma-0.4.24', 'chroma-0.5.5']

interface MaintenanceRow {
  id: null | number
  operation: string
  timestamp: string
}

const maintenanceLog = (persistDir: string): Promise<MaintenanceRow[]> =>
  withDatabase(persistDir, (db) => db.all('SELECT id, operation, timestamp FROM maintenance_log'))

/** Leaves many free pages, which it fills before. */
const grow = (persistDir: string): Promise<void> =>
  withDatabase(persistDir, (db) =>
    db.exec('CREATE TABLE filler AS SELECT zeroblob(2000000) AS bytes; DROP TABLE filler'),
  )

const sizeOf = (persistDir: string): number => statSync(join(persistDir, 'chroma.sqlite3')).size

describe('db vacuum', () => {
  for (const name of FIXTURES) {
    it(`makes chroma.sqlite3 of ${name} smaller and changes nothing else`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      await grow(persistDir)
      const sizeBefore = sizeOf(persistDir)
      const {code, json} = await chopsJson<Vacuum>(['db', 'vacuum', persistDir, '-y'])
      expect(code).to.equal(0)
      expectToMatchSchema('db-vacuum', json)
      expect(json).to.include({sizeAfter: sizeOf(persistDir), sizeBefore, status: 'done'})
      expect(json.freeBytes).to.be.greaterThan(2_000_000)
      expect(sizeBefore - json.sizeAfter).to.be.at.least(json.freeBytes)
      expect(json.recorded).to.equal(!WITHOUT_LOG.includes(name))
      await expectSound(persistDir, {before: await stateOf(name), expected})
    })
  }

  it('leaves the row that Chroma leaves', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = await maintenanceLog(persistDir)
    expect((await chops(['db', 'vacuum', persistDir, '-y'])).code).to.equal(0)
    const [row, ...others] = (await maintenanceLog(persistDir)).slice(before.length)
    expect(others).to.deep.equal([])
    expect(row).to.include({id: null, operation: 'vacuum'})
    expect(row?.timestamp).to.match(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
  })

  it('shows sizes before and after', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    await grow(persistDir)
    const {stdout} = await chops(['db', 'vacuum', persistDir], {input: 'y\n'})
    expect(stdout).to.match(/│ Free pages +│ \d+/)
    expect(stdout).to.match(
      /Size before: \d+ \(.*MiB\), after: \d+ \(.*\)\.\nVACUUM completed: \d\.\dMiB given back/,
    )
  })

  it('changes nothing with --dry-run, on a no, without an answer, or while Chroma runs', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const args = ['db', 'vacuum', persistDir]
    expect((await chops([...args, '--dry-run'])).stdout).to.include('Dry run: nothing was changed.')
    expect((await chops(args, {input: 'n\n'})).stdout).to.include('Cancelled: nothing was changed.')
    await expectRefusals(persistDir, args)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('has one sentence for a database that is cut off, and leaves it', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = join(persistDir, 'chroma.sqlite3')
    truncateSync(file, statSync(file).size - 40_000)
    const before = fingerprint(persistDir)
    const {code, stderr} = await chops(['db', 'vacuum', persistDir, '-y'])
    expect(code).to.equal(4)
    expect(stderr).to.match(/^Error: .*chroma\.sqlite3 is damaged[^\n]*\n {2}[^\n]+\n$/m)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })
})
