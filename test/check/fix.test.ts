import {expect} from 'chai'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

import type {DatabaseCheck} from '../../plugins/ops-db/src/services/check/check-database.js'
import type {FixtureName} from '../support/fixtures.js'

import {type DatabaseFix, fixDatabase} from '../../plugins/ops-db/src/services/fix/fix-database.js'
import {planRepairs} from '../../plugins/ops-db/src/services/fix/plan.js'
import {withoutLoaderInChildren} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {BREAKS} from './breaks.js'
import {alarmsOf, check, copyOfFixture} from './support.js'

async function fix(persistDir: string): Promise<DatabaseFix> {
  const found = await check(persistDir, {allIds: true})
  return fixDatabase(found, planRepairs(found))
}

/** Records of each collection, and how many of them lost their vectors. */
function recordsOf({ledger}: DatabaseCheck): Record<string, unknown> {
  return Object.fromEntries(ledger.map(({id, lost, records}) => [id, {lost, records}]))
}

/** Rows of records, whoever they belong to. */
async function rowsOf(persistDir: string): Promise<number | undefined> {
  return withDatabase(
    persistDir,
    async (db) => (await db.get<{n: number}>('SELECT COUNT(*) AS n FROM embeddings'))?.n,
  )
}

describe('db check --fix of a directory in which', function () {
  this.timeout(60_000)
  withoutLoaderInChildren()

  for (const {apply, finds, fixture = 'chroma-1.5.9' as FixtureName, name, remains = []} of BREAKS) {
    if (finds.length === 0) continue
    const outcome = remains.length === 0 ? 'repairs it' : `leaves ${remains.join(' and ')}`
    it(`${name} ${outcome}, and loses no record`, async () => {
      const persistDir = copyOfFixture(fixture)
      await apply(persistDir)
      const before = await check(persistDir)
      const rows = await rowsOf(persistDir)
      const original = readFileSync(join(persistDir, 'chroma.sqlite3'))
      const {backup, repairs} = await fix(persistDir)
      expect(repairs.filter(({failure}) => failure !== null)).to.deep.equal([])
      const after = await check(persistDir)
      expect(alarmsOf(after), JSON.stringify(after.findings)).to.deep.equal([...remains].sort())
      expect(recordsOf(after)).to.deep.equal(recordsOf(before))
      if (before.findings.every(({id}) => id !== 'M1')) expect(await rowsOf(persistDir)).to.equal(rows)
      if (backup !== null) expect(readFileSync(backup).equals(original)).to.equal(true)
      expect(existsSync(join(persistDir, 'chroma.sqlite3-journal'))).to.equal(false)
      expect(readdirSync(persistDir).filter((entry) => entry.endsWith('.tmp'))).to.deep.equal([])
    })
  }
})
