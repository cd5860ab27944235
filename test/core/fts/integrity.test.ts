import {expect} from 'chai'

import {readFtsDefinition} from '../../../core/src/fts/definition.js'
import {findFtsProblem} from '../../../core/src/fts/integrity.js'
import {FIXTURES, unpackFixture} from '../../support/fixtures.js'
import {FULL_TEXT_DAMAGE, readingDatabase} from '../../support/full-text.js'
import {withDatabase} from '../../support/sql.js'
import {fingerprint} from '../../support/untouched.js'

describe('the integrity of the full-text index', () => {
  for (const name of FIXTURES) {
    it(`is sound in ${name}, and reading changes nothing`, async () => {
      const {persistDir} = unpackFixture(name)
      const before = fingerprint(persistDir)
      await readingDatabase(persistDir, async (db) => {
        expect(await findFtsProblem(db)).to.equal(undefined)
        const {missing, tokenizer} = await readFtsDefinition(db)
        expect({missing, tokenizer}).to.deep.equal({missing: [], tokenizer: 'trigram'})
      })
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }

  for (const [what, spoil] of Object.entries(FULL_TEXT_DAMAGE)) {
    it(`sees ${what}`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      await spoil(persistDir)
      const problem = await readingDatabase(persistDir, (db) => findFtsProblem(db))
      expect(problem).to.match(/^(is (missing|damaged)|lacks|cannot be read)/)
    })
  }

  const CLAUSES: [clause: string, tokenizer: string][] = [
    [`, tokenize='porter ascii'`, 'porter ascii'],
    [`, tokenize = "unicode61 remove_diacritics 2"`, 'unicode61 remove_diacritics 2'],
    [`, tokenize='unicode61 tokenchars ''-_'''`, `unicode61 tokenchars '-_'`],
    [`, tokenize=ascii`, 'ascii'],
    [`, prefix='2 3'`, 'unicode61'],
  ]
  for (const [clause, tokenizer] of CLAUSES) {
    it(`reads the tokenizer of fts5(string_value${clause})`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const found = await withDatabase(persistDir, async (db) => {
        await db.exec('DROP TABLE embedding_fulltext_search')
        await db.exec(`CREATE VIRTUAL TABLE embedding_fulltext_search USING fts5(string_value${clause})`)
        return readFtsDefinition(db)
      })
      expect(found.tokenizer).to.equal(tokenizer)
    })
  }
})
