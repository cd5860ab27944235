import {expect} from 'chai'
import {join} from 'node:path'

import {chops} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {FULL_TEXT_DAMAGE} from '../support/full-text.js'
import {type Engine, ENGINE_VERSIONS, engineOrSkip} from './support/engines.js'
import {copyOf, judgeBy, type Snapshot, snapshotBy, whileHeldBy, writeDirectory} from './support/judge.js'

/** A cosine vector that was only in the log is normalised when it gets into an index. */
const NORMALISED = 1e-6

/** Every kind of damage is for the quick tests; these leave an engine without a full-text search in different ways. */
const DAMAGE = [
  'no table embedding_fulltext_search_data',
  'a shadow table of noise',
  'a table that SQLite cannot read',
]

/** Runs a command that has to succeed. */
async function run(...args: string[]): Promise<void> {
  const {code, stderr, stdout} = await chops(args)
  expect(code, `${stdout}\n${stderr}`).to.equal(0)
}

/** The engine that owns the directory has to find everything as before, `$contains` included, and to go on. */
async function expectSound(engine: Engine, dir: string, before: Snapshot): Promise<void> {
  const {problems} = await judgeBy(engine, dir, before, {tolerance: NORMALISED})
  expect(problems).to.deep.equal([])
}

for (const version of ENGINE_VERSIONS) {
  describe(`upkeep of directories of Chroma ${version}, judged by it`, () => {
    let engine: Engine
    let written: string
    let original: Snapshot

    before(async function () {
      engine = await engineOrSkip(this, version)
      written = await writeDirectory(engine, {seed: 21})
      original = await snapshotBy(engine, written)
    })

    for (const damage of DAMAGE) {
      it(`fts rebuild cures ${damage}`, async () => {
        const dir = copyOf(written)
        await FULL_TEXT_DAMAGE[damage]?.(dir)
        await run('fts', 'rebuild', dir, '-y')
        await expectSound(engine, dir, original)
      })
    }

    it('hnsw rebuild, db clean with the backups, and db vacuum in a row', async () => {
      const dir = copyOf(written)
      await run('hnsw', 'rebuild', dir, '--all', '--fragmentation', '0', '-y')
      await run('db', 'clean', dir, '--backups', '-y')
      await run('db', 'vacuum', dir, '-y')
      await expectSound(engine, dir, original)
    })

    it('db backup, taken while it has the directory open', async () => {
      const dir = copyOf(written)
      const backup = join(temporaryFolder(), 'backup')
      await whileHeldBy(engine, dir, () => run('db', 'backup', dir, '-o', backup, '--verify'))
      await expectSound(engine, backup, original)
    })
  })
}
