import {expect} from 'chai'

import {fillFts, findFtsProblem, FTS_TABLE, mergeFts} from '../../../core/src/fts/index.js'
import type {Database} from '../../../core/src/sqlite/database.js'
import {unpackFixture} from '../../support/fixtures.js'
import {withDatabase} from '../../support/sql.js'

const PARTS = 6

async function settingsOf(db: Database): Promise<object[]> {
  return db.all(`SELECT k, v FROM ${FTS_TABLE}_config ORDER BY k`)
}

async function partsOf(db: Database): Promise<number> {
  const row = await db.get<{parts: number}>(`SELECT COUNT(DISTINCT segid) AS parts FROM ${FTS_TABLE}_idx`)
  return row?.parts ?? 0
}

/** Each statement ends a part of the index. */
async function addDocuments(db: Database): Promise<void> {
  for (let part = 0; part < PARTS; part++) {
    await db.run(
      `INSERT INTO ${FTS_TABLE} (rowid, string_value)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
       SELECT ? + i, 'a filling document ' || hex(i * 7919) FROM n`,
      [1_000_000 + 1000 * part],
    )
  }
}

async function fill(db: Database, work: () => Promise<void>): Promise<void> {
  await db.exec('BEGIN IMMEDIATE')
  await fillFts(db, work)
  await db.exec('COMMIT')
}

describe('filling the full-text index', () => {
  it('leaves the settings as they were found: none, or those that somebody made', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, async (db) => {
      const before = await settingsOf(db)
      await fill(db, () => addDocuments(db))
      expect(await settingsOf(db)).to.deep.equal(before)

      await db.exec(`INSERT INTO ${FTS_TABLE} (${FTS_TABLE}, rank) VALUES ('automerge', 8)`)
      await db.exec(`INSERT INTO ${FTS_TABLE} (${FTS_TABLE}, rank) VALUES ('usermerge', 3)`)
      const chosen = await settingsOf(db)
      expect(chosen).to.have.lengthOf(before.length + 2)
      await fill(db, async () => {})
      expect(await settingsOf(db)).to.deep.equal(chosen)
    })
  })

  it('merges what the filling left side by side, and keeps every word', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, async (db) => {
      await fill(db, () => addDocuments(db))
      const before = await partsOf(db)
      expect(before).to.be.at.least(PARTS)
      await fill(db, () => mergeFts(db))
      expect(await partsOf(db)).to.be.below(PARTS)
      expect(await findFtsProblem(db)).to.equal(undefined)
      const found = await db.get<{count: number}>(
        `SELECT COUNT(*) AS count FROM ${FTS_TABLE} WHERE string_value MATCH '"filling document"'`,
      )
      expect(found?.count).to.equal(PARTS * 500)
    })
  })
})
