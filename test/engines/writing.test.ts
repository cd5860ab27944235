import {expect} from 'chai'

import {chops} from '../support/cli.js'
import {type Engine, ENGINE_VERSIONS, engineOrSkip} from './support/engines.js'
import {
  copyOf,
  judgeBy,
  type JudgeOptions,
  type Snapshot,
  snapshotBy,
  upgradeBy,
  writeDirectory,
} from './support/judge.js'

/** A cosine vector that was only in the log is normalised when it gets into an index. */
const NORMALISED = 1e-6

const COLLECTIONS: [flags: string[], title: string][] = [
  [['-c', 'churned'], 'churned'],
  [['-c', 'churned', '-d', 'prod', '--tenant', 'acme'], 'churned of another tenant'],
]

/** Runs a command that has to succeed. */
async function run(...args: string[]): Promise<void> {
  const {code, stderr, stdout} = await chops(args)
  expect(code, `${stdout}\n${stderr}`).to.equal(0)
}

/** The engine that owns the directory has to find everything as before, and to go on. */
async function expectSound(
  engine: Engine,
  dir: string,
  before: Snapshot,
  options: JudgeOptions = {},
): Promise<void> {
  const {problems} = await judgeBy(engine, dir, before, {tolerance: NORMALISED, ...options})
  expect(problems).to.deep.equal([])
}

for (const version of ENGINE_VERSIONS) {
  describe(`directories of Chroma ${version}, judged by it`, () => {
    let engine: Engine
    let written: string
    let original: Snapshot

    before(async function () {
      engine = await engineOrSkip(this, version)
      written = await writeDirectory(engine, {seed: 11})
      original = await snapshotBy(engine, written)
    })

    it('after hnsw rebuild of every collection', async () => {
      const dir = copyOf(written)
      for (const {database, name, tenant} of original.collections) {
        await run('hnsw', 'rebuild', dir, '-c', name, '-d', database, '--tenant', tenant, '-y')
      }

      await expectSound(engine, dir, original)
    })

    for (const [flags, title] of COLLECTIONS) {
      it(`after hnsw rebuild with other parameters (${title})`, async () => {
        const dir = copyOf(written)
        const parameters = [
          '--m',
          '24',
          '--construction-ef',
          '150',
          '--search-ef',
          '120',
          '--sync-threshold',
          '60',
        ]
        await run('hnsw', 'rebuild', dir, ...flags, ...parameters, '-y', '--no-backup')
        await expectSound(engine, dir, original)
      })
    }

    for (const space of ['l2', 'ip', 'cosine'] as const) {
      it(`after a change of the space to ${space}`, async () => {
        const dir = copyOf(written)
        const name = 'default_tenant/default_database/churned'
        await run('hnsw', 'rebuild', dir, '-c', 'churned', '--space', space, '-y')
        await expectSound(engine, dir, original, {changedSpace: {[name]: space}})
      })
    }

    it('after wal commit', async () => {
      const dir = copyOf(written)
      await run('wal', 'commit', dir, '-y')
      await expectSound(engine, dir, original)
    })

    it('after wal commit, wal clean and hnsw rebuild in a row, twice', async () => {
      const dir = copyOf(written)
      for (let round = 0; round < 2; round++) {
        await run('wal', 'commit', dir, '-y')
        await run('wal', 'clean', dir, '-y')
        await run('hnsw', 'rebuild', dir, '--all', '--fragmentation', '0', '-y', '--no-backup')
      }

      await expectSound(engine, dir, original)
    })
  })
}

const UPGRADES = [
  ['0.4.24', '0.6.3'],
  ['0.4.24', '1.5.9'],
  ['0.5.5', '1.0.16'],
  ['0.6.3', '1.5.9'],
] as const

for (const [older, newer] of UPGRADES) {
  describe(`directories of Chroma ${older} upgraded by ${newer}, judged by ${newer}`, () => {
    let engine: Engine
    let upgraded: string
    let original: Snapshot

    before(async function () {
      const first = await engineOrSkip(this, older)
      engine = await engineOrSkip(this, newer)
      upgraded = await writeDirectory(first, {seed: 12})
      await upgradeBy(engine, upgraded, {write: true})
      original = await snapshotBy(engine, upgraded)
    })

    it('after hnsw rebuild with another space and of every collection', async () => {
      const dir = copyOf(upgraded)
      await run('hnsw', 'rebuild', dir, '-c', 'churned', '--space', 'l2', '--m', '20', '-y')
      await run('hnsw', 'rebuild', dir, '--all', '--fragmentation', '0', '-y')
      await expectSound(engine, dir, original, {
        changedSpace: {'default_tenant/default_database/churned': 'l2'},
      })
    })

    it('after wal commit and wal clean', async () => {
      const dir = copyOf(upgraded)
      await run('wal', 'commit', dir, '-y')
      await run('wal', 'clean', dir, '-y')
      await expectSound(engine, dir, original)
    })
  })
}
