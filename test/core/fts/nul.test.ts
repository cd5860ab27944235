import {expect} from 'chai'
import {join} from 'node:path'

import {findFtsProblem} from '../../../core/src/fts/integrity.js'
import {rebuildFts} from '../../../core/src/fts/rebuild.js'
import type {Database} from '../../../core/src/sqlite/database.js'
import {openDatabase} from '../../../core/src/sqlite/open.js'
import {type FixtureName, unpackFixture} from '../../support/fixtures.js'
import {
  fullTextDifferences,
  giveNulDocuments,
  indexNewestWhole,
  wordsOfNulDocuments,
} from '../../support/full-text.js'
import {fingerprint} from '../../support/untouched.js'
import {DRIVERS, skipWithout} from '../sqlite/support.js'

const TABLE = 'embedding_fulltext_search'
const NAMES: FixtureName[] = ['chroma-0.4.24', 'chroma-0.6.3', 'chroma-1.0.16', 'chroma-1.5.9']

/** What can happen to an index with such documents, in which FTS5 of chops's SQLite cannot tell right from wrong. */
const DAMAGE: Record<string, string> = {
  'a row that counts the words of another text': `UPDATE ${TABLE}_docsize SET sz = x'7F' WHERE id = (SELECT min(id) FROM ${TABLE}_content WHERE instr(c0, char(0)))`,
  'a shadow table of noise': `UPDATE ${TABLE}_data SET block = randomblob(length(block)) WHERE id > 10`,
  'a text that says something else before the NUL': `UPDATE ${TABLE}_content SET c0 = 'X' || substr(c0, 2, 4) || char(0) || 'y' WHERE instr(c0, char(0))`,
  'a text without a NUL that says something else': `UPDATE ${TABLE}_content SET c0 = 'something else' WHERE id = (SELECT max(id) FROM ${TABLE}_content WHERE NOT instr(c0, char(0)))`,
  'words of a row that is gone': `DELETE FROM ${TABLE}_content WHERE id = (SELECT max(id) FROM ${TABLE}_content)`,
}

/** Of how many documents there are words behind the NUL in the index. */
async function wordsBehindNul(db: Database): Promise<number> {
  const rows = await wordsOfNulDocuments(db)
  return rows.filter(({words}) => words.includes('|ide|')).length
}

for (const driver of DRIVERS) {
  describe(`documents with a NUL character in the full-text index (${driver})`, () => {
    before(function () {
      skipWithout(driver, this)
    })

    async function within<T>(
      persistDir: string,
      mode: 'read' | 'write',
      work: (db: Database) => Promise<T>,
    ): Promise<T> {
      const db = await openDatabase(join(persistDir, 'chroma.sqlite3'), {driver, mode})
      try {
        return await work(db)
      } finally {
        await db.close()
      }
    }

    async function withNul(name: FixtureName): Promise<string> {
      const {persistDir} = unpackFixture(name)
      const ids = await within(persistDir, 'write', (db) => giveNulDocuments(db))
      expect(ids).to.have.lengthOf(5)
      return persistDir
    }

    const problemOf = (persistDir: string): Promise<string | undefined> =>
      within(persistDir, 'read', findFtsProblem)

    for (const name of NAMES) {
      it(`are sound in ${name}, and reading changes nothing`, async () => {
        const persistDir = await withNul(name)
        const before = fingerprint(persistDir)
        expect(await problemOf(persistDir)).to.equal(undefined)
        expect(fingerprint(persistDir)).to.deep.equal(before)
      })
    }

    it('are sound whole as well, as engines with SQLite from 3.48 on index them', async () => {
      const persistDir = await withNul('chroma-0.6.3')
      await within(persistDir, 'write', async (db) => {
        await db.exec(
          `INSERT INTO ${TABLE} (rowid, string_value) VALUES (1000000, 'whole' || char(0) || 'behind')`,
        )
        const texts = await wordsOfNulDocuments(db)
        expect(texts.at(-1)?.words).to.include('beh')
      })
      expect(await problemOf(persistDir)).to.equal(undefined)
    })

    for (const [what, sql] of Object.entries(DAMAGE)) {
      it(`do not hide ${what}`, async () => {
        const persistDir = await withNul('chroma-1.5.9')
        await within(persistDir, 'write', (db) => db.exec(sql))
        expect(await problemOf(persistDir)).to.match(/^is damaged/)
      })
    }

    it('leave nothing behind on the connection', async () => {
      const persistDir = await withNul('chroma-1.5.9')
      await within(persistDir, 'read', async (db) => {
        await findFtsProblem(db)
        expect(await db.all('SELECT name FROM sqlite_temp_master')).to.deep.equal([])
      })
    })

    for (const name of NAMES) {
      it(`are indexed anew as the engine of ${name} does it`, async () => {
        const persistDir = await withNul(name)
        await within(persistDir, 'write', async (db) => {
          const before = await wordsOfNulDocuments(db)
          expect(before[0]).to.include({
            counted: before[0]?.words.split('|').length.toString().padStart(2, '0'),
          })
          await rebuildFts(db)
          expect(await wordsOfNulDocuments(db)).to.deep.equal(before)
          expect(await fullTextDifferences(db)).to.equal(0)
        })
        expect(await problemOf(persistDir)).to.equal(undefined)
      })
    }

    it('are indexed whole where the newest one was, by a Python engine with a newer SQLite', async () => {
      const persistDir = await withNul('chroma-0.6.3')
      await within(persistDir, 'write', async (db) => {
        await rebuildFts(db, {engine: 'python'})
        expect(await wordsBehindNul(db)).to.equal(0)
        await indexNewestWhole(db)
        await rebuildFts(db, {engine: 'python'})
        expect(await wordsBehindNul(db)).to.equal(5)
        // As a Rust engine has to have it that took the directory over.
        await rebuildFts(db, {engine: 'rust'})
        expect(await wordsBehindNul(db)).to.equal(0)
      })
    })

    it('are cut where nothing is left that tells how they were indexed', async () => {
      const persistDir = await withNul('chroma-0.6.3')
      await within(persistDir, 'write', async (db) => {
        await db.exec(`DROP TABLE ${TABLE}_docsize`)
        await rebuildFts(db, {engine: 'python'})
        expect(await wordsBehindNul(db)).to.equal(0)
        expect(await fullTextDifferences(db)).to.equal(0)
      })
    })

    it('are indexed whole by a tokenizer that no SQLite ends there', async () => {
      const persistDir = await withNul('chroma-1.5.9')
      await within(persistDir, 'write', async (db) => {
        await rebuildFts(db, {tokenizer: 'porter unicode61'})
        const [first] = await wordsOfNulDocuments(db)
        expect(first?.words).to.match(/^mark\d+\|insid\|text$/)
        expect(await fullTextDifferences(db)).to.equal(0)
      })
      expect(await problemOf(persistDir)).to.equal(undefined)
    })

    it('are cut by porter over trigrams too', async () => {
      const persistDir = await withNul('chroma-1.5.9')
      await within(persistDir, 'write', async (db) => {
        await rebuildFts(db, {tokenizer: 'porter trigram'})
        const words = await wordsOfNulDocuments(db)
        expect(words.map((row) => row.words).join('|')).not.to.include('ins')
      })
      expect(await problemOf(persistDir)).to.equal(undefined)
    })
  })
}
