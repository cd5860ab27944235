import {expect} from 'chai'

import type {ChopsError} from '../../../core/src/errors.js'
import type {FtsRebuild, FtsRebuildOptions} from '../../../core/src/fts/rebuild.js'

import {readFtsDefinition} from '../../../core/src/fts/definition.js'
import {findFtsProblem} from '../../../core/src/fts/integrity.js'
import {rebuildFts} from '../../../core/src/fts/rebuild.js'
import {FIXTURES, unpackFixture} from '../../support/fixtures.js'
import {FULL_TEXT_DAMAGE, fullTextDifferences, spoilTree} from '../../support/full-text.js'
import {withDatabase} from '../../support/sql.js'
import {fingerprint} from '../../support/untouched.js'

async function rebuild(persistDir: string, options?: FtsRebuildOptions): Promise<FtsRebuild> {
  return withDatabase(persistDir, (db) => rebuildFts(db, options))
}

interface State {
  config: string
  differences: number
  integrity: string
  problem: string | undefined
  sql: string | undefined
}

const stateOf = (persistDir: string): Promise<State> =>
  withDatabase(persistDir, async (db) => {
    const check = await db.all<{integrity_check: string}>('PRAGMA integrity_check')
    const config = await db.all<object>('SELECT * FROM embedding_fulltext_search_config')
    return {
      config: JSON.stringify(config),
      differences: await fullTextDifferences(db),
      integrity: check.map((row) => row.integrity_check).join(' '),
      problem: await findFtsProblem(db),
      sql: (await readFtsDefinition(db)).sql,
    }
  })

const SOUND: State = {
  config: '[{"k":"version","v":4}]',
  differences: 0,
  integrity: 'ok',
  problem: undefined,
  sql: `CREATE VIRTUAL TABLE embedding_fulltext_search USING fts5(string_value, tokenize='trigram')`,
}

async function failureOf(work: Promise<unknown>): Promise<ChopsError> {
  return work.then(
    () => expect.fail('it does not fail'),
    (error: ChopsError) => error,
  )
}

describe('the rebuild of the full-text index', () => {
  for (const name of FIXTURES) {
    it(`leaves ${name} defined as its engine does, with one row for each document`, async () => {
      const {persistDir} = unpackFixture(name)
      const {documents, lostPages} = await rebuild(persistDir)
      expect(documents).to.be.greaterThan(0)
      expect(lostPages).to.equal(0)
      expect(await stateOf(persistDir)).to.deep.equal(SOUND)
    })
  }

  for (const [what, spoil] of Object.entries(FULL_TEXT_DAMAGE)) {
    it(`cures ${what}`, async () => {
      const {persistDir} = unpackFixture('chroma-1.0.16')
      await spoil(persistDir)
      const {lostPages} = await rebuild(persistDir)
      // What belonged to a damaged tree is left alone, for VACUUM.
      if (lostPages > 0) await withDatabase(persistDir, (db) => db.exec('VACUUM'))
      expect(await stateOf(persistDir)).to.deep.equal(SOUND)
    })
  }

  it('frees no page of another table to which a damaged tree leads', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const records = await withDatabase(persistDir, async (db) => {
      await db.exec('PRAGMA writable_schema = ON')
      await db.exec(`UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'embeddings')
                     WHERE name = 'embedding_fulltext_search_docsize'`)
      await db.exec('PRAGMA writable_schema = RESET')
      return db.all('SELECT * FROM embeddings')
    })
    const {lostPages} = await rebuild(persistDir)
    expect(lostPages).to.be.greaterThan(0)
    await withDatabase(persistDir, async (db) => {
      expect(await db.all('SELECT * FROM embeddings')).to.deep.equal(records)
      await db.exec('VACUUM')
    })
    expect(await stateOf(persistDir)).to.deep.equal(SOUND)
  })

  it('writes nothing into a database that is damaged elsewhere', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await spoilTree(persistDir, 'embedding_metadata')
    const before = fingerprint(persistDir).map((line) => line.replace(/ [\d.]+ /, ' '))
    const {kind, message} = await failureOf(rebuild(persistDir))
    expect(kind).to.equal('damaged')
    expect(message).to.include('chroma.sqlite3')
    expect(fingerprint(persistDir).map((line) => line.replace(/ [\d.]+ /, ' '))).to.deep.equal(before)
  })

  it('does not drop what is no table', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) =>
      db.exec(`DROP TABLE embedding_fulltext_search; CREATE VIEW embedding_fulltext_search AS SELECT 1`),
    )
    const {kind, message} = await failureOf(rebuild(persistDir))
    expect(kind).to.equal('damaged')
    expect(message).to.include('is no table but a view')
  })

  for (const tokenizer of [
    'ascii',
    'porter unicode61',
    'unicode61 remove_diacritics 2',
    `unicode61 tokenchars '-_'`,
    'trigram case_sensitive 1',
  ]) {
    it(`takes the tokenizer ${tokenizer}`, async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      await rebuild(persistDir, {tokenizer})
      await withDatabase(persistDir, async (db) => {
        expect((await readFtsDefinition(db)).tokenizer).to.equal(tokenizer)
        expect(await findFtsProblem(db)).to.equal(undefined)
        expect(await fullTextDifferences(db)).to.equal(0)
      })
    })
  }

  it('leaves the temporary files of the connection on the disk, where a VACUUM needs them', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, async (db) => {
      await rebuildFts(db)
      await failureOf(rebuildFts(db, {tokenizer: 'klingon'}))
      expect(await db.get('PRAGMA temp_store')).to.deep.equal({temp_store: 0})
    })
  })

  for (const tokenizer of [
    '',
    'klingon',
    'unicode61 remove_diacritics 7',
    'trigram\0 x',
    `trigram', content='embeddings`,
    'unicode61 tokenchars',
  ]) {
    it(`refuses the tokenizer ${JSON.stringify(tokenizer)} before anything is changed`, async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const before = fingerprint(persistDir)
      const {kind, message} = await failureOf(rebuild(persistDir, {tokenizer}))
      expect(kind).to.equal('usage')
      expect(message).to.include(JSON.stringify(tokenizer))
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }

  it('leaves the old index when it is interrupted', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const before = await stateOf(persistDir)
    const stop = new AbortController()
    const stopped = rebuild(persistDir, {
      onStep: (step) => step === 'merge' && stop.abort(),
      signal: stop.signal,
      tokenizer: 'ascii',
    })
    expect((await failureOf(stopped)).name).to.equal('AbortError')
    expect(await stateOf(persistDir)).to.deep.equal(before)
  })

  it('takes documents in ascending order of ids that lie far apart, and none of other keys', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, async (db) => {
      await db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2500)
        INSERT INTO embedding_metadata (id, key, string_value)
        SELECT 1000000 + 1000003 * i, 'chroma:document', 'text ' || (3000 - i) FROM n`)
      await db.exec(
        `INSERT INTO embedding_metadata (id, key, string_value) VALUES (-5, 'chroma:document', '')`,
      )
    })
    const steps: string[] = []
    await rebuild(persistDir, {onStep: (step, done, total) => steps.push(`${step} ${done > total}`)})
    expect(new Set(steps)).to.deep.equal(
      new Set(['drop', 'fill', 'merge', 'verify'].map((s) => `${s} false`)),
    )
    expect(await stateOf(persistDir)).to.deep.equal(SOUND)
  })
})
