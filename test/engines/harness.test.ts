import {expect} from 'chai'
import {execFileSync} from 'node:child_process'
import {fileURLToPath} from 'node:url'
import {unpackFixture} from '../support/fixtures.js'
import type {Engine} from './support/engines.js'
import {ENGINE_VERSIONS, engineOrSkip} from './support/engines.js'
import type {Snapshot} from './support/judge.js'
import {copyOf, judgeBy, snapshotBy, upgradeBy, writeDirectory} from './support/judge.js'

const SPOIL = fileURLToPath(new URL('spoil.py', import.meta.url))
const LOCAL = 'default_tenant/default_database'

/** A wrong change, the collection it is made to, and what the judge has to say about it. */
const WRONG_CHANGES = [
  ['swap-vectors', `${LOCAL}/inner_product`, /as changed, records: 2 records have another embedding/],
  ['drop-log-row', `${LOCAL}/wal_only`, /as changed, records: 1 records cannot be read/],
  ['drop-label', `${LOCAL}/steady`, /as changed, records: 1 records cannot be read/],
  [
    'set-labels-back',
    'acme/prod/churned',
    /after writing, records: \d+ records (cannot be read|have another)/,
  ],
  ['change-space', `${LOCAL}/defaults`, /as changed, query: \d+ distances are not those of l2/],
  ['zero-lengths', `${LOCAL}/churned`, /as changed, records: \d+ records have another embedding/],
] as const

describe('the judging engines', () => {
  for (const version of ENGINE_VERSIONS) {
    describe(`Chroma ${version}`, () => {
      let engine: Engine
      let dir: string
      let expected: Snapshot

      before(async function () {
        engine = await engineOrSkip(this, version)
        dir = await writeDirectory(engine, {scale: 0.6})
        expected = await snapshotBy(engine, dir)
      })

      it('wrote every space, and answers from what it wrote', () => {
        const spaces = new Set(expected.collections.map(({space}) => space))
        expect(spaces).to.deep.equal(new Set(['cosine', 'ip', 'l2', null]))
        for (const {count, recall, records} of expected.collections) {
          expect(records).to.have.length(count)
          if (count > 0) expect(recall).to.be.above(0.9)
        }
      })

      it('finds nothing wrong with an unchanged directory, and goes on writing to it', async () => {
        expect((await judgeBy(engine, copyOf(dir), expected)).problems).to.deep.equal([])
      })

      it('finds each wrong change, and only where it was made', async () => {
        const spoiled = copyOf(dir)
        for (const [kind, key] of WRONG_CHANGES) spoil(engine, spoiled, key, kind)
        // Not wrong: this one is announced.
        spoil(engine, spoiled, `${LOCAL}/empty`, 'change-space')
        const {ok, problems} = await judgeBy(engine, spoiled, expected, {changedSpace: {empty: 'ip'}})
        expect(ok).to.equal(false)
        for (const [kind, key, text] of WRONG_CHANGES) {
          const said = problems.filter((problem) => problem.startsWith(`${key}: `))
          expect(said.join('\n'), kind).to.match(text)
        }

        expect(problems.filter((problem) => problem.startsWith(`${LOCAL}/empty: `))).to.deep.equal([])
      })
    })
  }

  it('says when an engine died, of what and at which step', async function () {
    const engine = await engineOrSkip(this, '1.5.9')
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    spoil(engine, persistDir, 'acme/prod/churned', 'break-link')
    const {ok, problems} = await judgeBy(engine, persistDir, expected)
    expect(ok).to.equal(false)
    expect(problems).to.have.length(1)
    expect(problems[0]).to.match(/^acme\/prod\/churned: as changed, query: Chroma 1\.5\.9 died of SIGSEGV/)
  })

  it('finds records that no query reaches, unless the engine built the index itself', async function () {
    const engine = await engineOrSkip(this, '1.5.9')
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    spoil(engine, persistDir, 'acme/prod/churned', 'unlink')
    const options = {goOn: false, recallTolerance: 0.5}
    const {problems} = await judgeBy(engine, copyOf(persistDir), expected, options)
    expect(problems).to.have.length(1)
    expect(problems[0]).to.match(/^acme\/prod\/churned: .*where \{'only': 1\} returns \d ids instead of 3$/)
    const own = await judgeBy(engine, persistDir, expected, {...options, ownIndex: true})
    expect(own.problems).to.deep.equal([])
  })

  it('goes on with a directory that an older engine wrote', async function () {
    const engine = await engineOrSkip(this, '1.5.9')
    const {expected, persistDir} = unpackFixture('chroma-0.4.24')
    const before = new Map(expected.collections.map((c) => [`${c.tenant}/${c.database}/${c.name}`, c.count]))
    for (const {count, database, name, tenant} of await upgradeBy(engine, persistDir, {write: true})) {
      const records = before.get(`${tenant}/${database}/${name}`) ?? 0
      expect(count, name).to.equal(records === 0 ? 0 : records + 4)
    }

    const upgraded = await snapshotBy(engine, persistDir)
    expect((await judgeBy(engine, persistDir, upgraded)).problems).to.deep.equal([])
  })
})

/** Makes one wrong change (see spoil.py) with the engine's interpreter, though without the engine. */
function spoil(engine: Engine, dir: string, key: string, kind: string): void {
  execFileSync(engine.python, [SPOIL, dir, key, kind])
}
