import {expect} from 'chai'
import {truncateSync} from 'node:fs'
import {join} from 'node:path'

import type {FtsRebuildResult} from '../../plugins/ops-fts/src/services/rebuild.js'

import {expectRefusals} from '../support/refusals.js'
import {chops, chopsJson} from '../support/cli.js'
import {FIXTURES, unpackFixture} from '../support/fixtures.js'
import {FULL_TEXT_DAMAGE, fullTextDifferences} from '../support/full-text.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {expectSound, stateOf} from '../support/sound.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const integrityOf = (persistDir: string): Promise<string> =>
  withDatabase(persistDir, async (db) => {
    const [row] = await db.all<{integrity_check: string}>('PRAGMA integrity_check')
    return row?.integrity_check ?? ''
  })

describe('fts rebuild', () => {
  for (const name of FIXTURES) {
    it(`rebuilds the index of ${name} and leaves everything else as it is`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const {code, json} = await chopsJson<FtsRebuildResult>(['fts', 'rebuild', persistDir, '-y'])
      expect(code).to.equal(0)
      expectToMatchSchema('fts-rebuild', json)
      expect(json).to.include({status: 'done', tokenizer: 'trigram', tokenizerBefore: 'trigram'})
      await expectSound(persistDir, {before: await stateOf(name), expected})
      expect(await withDatabase(persistDir, fullTextDifferences)).to.equal(0)
    })
  }

  it('cures a damaged tree and gives its pages back', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await FULL_TEXT_DAMAGE['a table that SQLite cannot read']?.(persistDir)
    const {code, stdout} = await chops(['fts', 'rebuild', persistDir, '-y'])
    expect(code).to.equal(0)
    expect(stdout).to.match(/FTS rebuilt: \d+ documents indexed, integrity checked\./)
    expect(await integrityOf(persistDir)).to.equal('ok')
  })

  it('says what is missing before it asks, and builds it', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    await FULL_TEXT_DAMAGE['no table embedding_fulltext_search_config']?.(persistDir)
    const {code, json} = await chopsJson<FtsRebuildResult>(['fts', 'rebuild', persistDir, '-y'])
    expect(code).to.equal(0)
    expect(json.missingTables).to.deep.equal(['embedding_fulltext_search_config'])
    expect(await integrityOf(persistDir)).to.equal('ok')
  })

  it('takes another tokenizer with its options, and says what Chroma expects', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const args = ['fts', 'rebuild', persistDir, '-y', '-t', 'unicode61 remove_diacritics 2']
    const {code, stderr, stdout} = await chops(args)
    expect(code).to.equal(0)
    expect(stdout).to.include('trigram (old) -> unicode61 remove_diacritics 2 (new)')
    expect(stderr).to.include('Chroma expects the tokenizer trigram')
    expect(await withDatabase(persistDir, fullTextDifferences)).to.equal(0)
    const {json} = await chopsJson<FtsRebuildResult>(['fts', 'rebuild', persistDir, '-y'])
    expect(json).to.include({tokenizer: 'trigram', tokenizerBefore: 'unicode61 remove_diacritics 2'})
  })

  it('changes nothing with --dry-run, on a no, without an answer, for an unknown tokenizer, or while Chroma runs', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const args = ['fts', 'rebuild', persistDir]
    expect((await chops([...args, '--dry-run'])).stdout).to.include('Dry run: nothing was changed.')
    const no = await chops(args, {input: 'n\n'})
    expect(no.code).to.equal(0)
    expect(no.stdout).to.include('Cancelled: nothing was changed.')
    for (const tokenizer of ['klingon', 'klingon\u001B[31m']) {
      const unknown = await chops([...args, '-y', '--tokenizer', tokenizer])
      expect(unknown.code).to.equal(2)
      expect(unknown.stderr).to.include('SQLite cannot use the tokenizer "klingon').and.not.include('\u001B')
    }

    await expectRefusals(persistDir, args)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('has one sentence for a database that is cut off', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    truncateSync(join(persistDir, 'chroma.sqlite3'), 100_000)
    const before = fingerprint(persistDir)
    const {code, stderr} = await chops(['fts', 'rebuild', persistDir, '-y'])
    expect(code).to.equal(4)
    expect(stderr).to.match(/^Error: .*chroma\.sqlite3 is damaged[^\n]*\n {2}[^\n]+\n$/m)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })
})
