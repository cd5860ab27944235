import {expect} from 'chai'
import {readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {chops} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {type Engine, ENGINE_VERSIONS, engineOrSkip, type EngineVersion} from './support/engines.js'
import {
  copyOf,
  judgeBy,
  type JudgedCollection,
  type Snapshot,
  snapshotBy,
  writeDirectory,
} from './support/judge.js'

/** A cosine vector that was only in the log is normalised when it gets into an index. */
const NORMALISED = 1e-6

/** Runs a command that has to succeed. */
async function run(...args: string[]): Promise<void> {
  const {code, stderr, stdout} = await chops(args)
  expect(code, `${stdout}\n${stderr}`).to.equal(0)
}

async function expectSound(engine: Engine, dir: string, collections: JudgedCollection[]): Promise<void> {
  const {problems} = await judgeBy(engine, dir, {collections}, {tolerance: NORMALISED})
  expect(problems).to.deep.equal([])
}

/** Takes a snapshot of every collection of a directory and returns the files by `tenant.database.name`. */
async function snapshotAll(dir: string): Promise<Map<string, string>> {
  const folder = join(temporaryFolder(), 'snapshots')
  await run('collection', 'snapshot', dir, '--all', '-o', folder)
  return new Map(readdirSync(folder).map((name) => [name.replace(/\.sqlite3$/, ''), join(folder, name)]))
}

function fileOf(files: Map<string, string>, {database, name, tenant}: JudgedCollection): string {
  return files.get(`${tenant}.${database}.${name}`) ?? ''
}

for (const version of ENGINE_VERSIONS) {
  describe(`snapshots of Chroma ${version}, restored and judged by it`, () => {
    let engine: Engine
    let written: string
    let original: Snapshot
    let files: Map<string, string>

    before(async function () {
      engine = await engineOrSkip(this, version)
      written = await writeDirectory(engine, {seed: 21})
      original = await snapshotBy(engine, written)
      files = await snapshotAll(written)
    })

    it('beside the originals, under other names and in another database', async () => {
      const dir = copyOf(written)
      const copies: JudgedCollection[] = []
      for (const collection of original.collections) {
        const copy = {...collection, database: 'copies', name: `${collection.name}-of-${collection.tenant}`}
        await run(
          'collection',
          'restore',
          dir,
          '-i',
          fileOf(files, collection),
          '-y',
          '--as',
          copy.name,
          '-d',
          copy.database,
        )
        copies.push(copy)
      }

      await expectSound(engine, dir, [...original.collections, ...copies])
    })

    it('into a directory that did not exist', async () => {
      const dir = join(temporaryFolder(), 'new')
      for (const collection of original.collections)
        await run('collection', 'restore', dir, '-i', fileOf(files, collection), '-y')
      await expectSound(engine, dir, original.collections)
    })

    it('into a directory that did not exist, when their log was emptied', async () => {
      const emptied = copyOf(written)
      await run('wal', 'commit', emptied, '-y')
      await withDatabase(emptied, (db) => db.run('DELETE FROM embeddings_queue'))
      const taken = await snapshotAll(emptied)
      const dir = join(temporaryFolder(), 'new')
      for (const collection of original.collections)
        await run('collection', 'restore', dir, '-i', fileOf(taken, collection), '-y')
      await expectSound(engine, dir, original.collections)
    })

    it('over a damaged original', async () => {
      const dir = copyOf(written)
      for (const collection of original.collections.filter(({name}) => name === 'churned')) {
        const {folder} = await locate(dir, collection.name, collection.tenant)
        writeFileSync(join(folder, 'link_lists.bin'), Buffer.alloc(5000, 255))
        await run('collection', 'restore', dir, '-i', fileOf(files, collection), '--replace', '-y')
      }

      await expectSound(engine, dir, original.collections)
    })
  })
}

/** From an older Chroma to a newer one, and back where the older one has a place for everything. */
const CROSSINGS: [EngineVersion, EngineVersion][] = [
  ['0.4.24', '0.6.3'],
  ['0.4.24', '1.5.9'],
  ['0.5.5', '0.5.23'],
  ['0.5.5', '1.0.16'],
  ['0.6.3', '1.0.16'],
  ['0.6.3', '1.5.9'],
  ['1.0.16', '1.5.9'],
  ['0.5.23', '0.4.24'],
  ['0.6.3', '0.5.5'],
  ['1.0.16', '0.6.3'],
]

/** Whether an engine opens the directories of another: none goes back. */
function isNewer(version: EngineVersion, than: EngineVersion): boolean {
  return ENGINE_VERSIONS.indexOf(version) > ENGINE_VERSIONS.indexOf(than)
}

/**
 * What the newer engine answers otherwise on a directory that it upgraded by itself: up to 0.6.3 a filtered query may find
 * too few. By collection and text, with the database that the collections go into.
 */
async function upgradeProblems(engine: Engine, dir: string, original: Snapshot): Promise<string[]> {
  const {problems} = await judgeBy(engine, copyOf(dir), original, {goOn: false, tolerance: NORMALISED})
  return problems.map((problem) => problem.replace(/^([^/]+)\/[^/]+\//, '$1/moved/'))
}

for (const [source, target] of CROSSINGS) {
  describe(`snapshots of Chroma ${source} in a directory of ${target}, judged by ${target}`, () => {
    it('are read, searched and written to like the collections that were there', async function () {
      const older = await engineOrSkip(this, source)
      const engine = await engineOrSkip(this, target)
      const moved = await writeDirectory(older, {seed: 22})
      const original = await snapshotBy(older, moved)
      const known = isNewer(target, source) ? await upgradeProblems(engine, moved, original) : []
      const dir = await writeDirectory(engine, {seed: 23})
      const {collections} = await snapshotBy(engine, dir)
      const files = await snapshotAll(moved)
      for (const collection of original.collections) {
        await run('collection', 'restore', dir, '-i', fileOf(files, collection), '-d', 'moved', '-y')
        collections.push({...collection, database: 'moved'})
      }

      const {problems} = await judgeBy(engine, dir, {collections}, {tolerance: NORMALISED})
      expect(problems.filter((problem) => !known.includes(problem))).to.deep.equal([])
    })
  })
}
