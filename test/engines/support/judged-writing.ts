import {expect} from 'chai'

import {chops} from '../../support/cli.js'
import {hasProcessFiles} from '../../support/segments.js'
import {fingerprint} from '../../support/untouched.js'
import {type Engine, engineOrSkip, type EngineVersion} from './engines.js'
import {
  copyOf,
  judgeBy,
  type JudgedCollection,
  type JudgeOptions,
  type Snapshot,
  snapshotBy,
  whileHeldBy,
  writeDirectory,
} from './judge.js'

/** A cosine vector that was only in the log is normalised when it gets into an index. */
const NORMALISED = 1e-6

const PARAMETERS = ['--m', '24', '--construction-ef', '150', '--search-ef', '120', '--sync-threshold', '60']
const RUNTIME = [
  '--search-ef',
  '90',
  '--batch-size',
  '10',
  '--sync-threshold',
  '70',
  '--resize-factor',
  '1.5',
]

/** Every change from one space to another; the collections have cosine, ip and l2. */
const SPACES = [
  {churned: 'l2', inner_product: 'cosine', steady: 'ip'},
  {churned: 'ip', inner_product: 'l2', steady: 'cosine'},
] as const

/** Runs a command that has to succeed. */
export async function run(...args: string[]): Promise<void> {
  const {code, stderr, stdout} = await chops(args)
  expect(code, `${args.join(' ')}\n${stdout}\n${stderr}`).to.equal(0)
}

/** The engine that owns the directory has to find everything as before, and to go on. */
export async function expectSound(
  engine: Engine,
  dir: string,
  before: Snapshot,
  options: JudgeOptions = {},
): Promise<void> {
  const {problems} = await judgeBy(engine, dir, before, {tolerance: NORMALISED, ...options})
  expect(problems).to.deep.equal([])
}

function flagsOf({database, name, tenant}: JudgedCollection): string[] {
  return ['-c', name, '-d', database, '--tenant', tenant]
}

/** What each command leaves of a directory that this engine wrote, judged by the engine itself. */
export function describeWriting(version: EngineVersion): void {
  describe(`a directory of Chroma ${version} is sound to it`, () => {
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
      for (const collection of original.collections)
        await run('hnsw', 'rebuild', dir, ...flagsOf(collection), '-y')
      await expectSound(engine, dir, original)
    })

    it('after hnsw rebuild with other parameters', async () => {
      const dir = copyOf(written)
      for (const collection of original.collections.filter(({name}) => name === 'churned'))
        await run('hnsw', 'rebuild', dir, ...flagsOf(collection), ...PARAMETERS, '-y', '--no-backup')
      await expectSound(engine, dir, original)
    })

    for (const spaces of SPACES) {
      const title = Object.entries(spaces).map(([name, space]) => `of ${name} to ${space}`)
      it(`after changes of the space ${title.join(', ')}`, async () => {
        const dir = copyOf(written)
        for (const [name, space] of Object.entries(spaces))
          await run('hnsw', 'rebuild', dir, '-c', name, '--space', space, '-y')
        const changedSpace = Object.fromEntries(
          Object.entries(spaces).map(([name, space]) => [`default_tenant/default_database/${name}`, space]),
        )
        await expectSound(engine, dir, original, {changedSpace})
      })
    }

    it('after hnsw config of every collection', async () => {
      const dir = copyOf(written)
      for (const collection of original.collections)
        await run('hnsw', 'config', dir, ...flagsOf(collection), ...RUNTIME, '-y')
      await expectSound(engine, dir, original)
    })

    it('after wal commit', async () => {
      const dir = copyOf(written)
      await run('wal', 'commit', dir, '-y')
      await expectSound(engine, dir, original)
    })

    it('after wal clean', async () => {
      const dir = copyOf(written)
      await run('wal', 'clean', dir, '-y')
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

    it('while it has it open: refused, unless it is forced', async function () {
      if (!hasProcessFiles()) this.skip()
      const dir = copyOf(written)
      await whileHeldBy(engine, dir, async (pid) => {
        const before = fingerprint(dir)
        for (const args of [
          ['hnsw', 'rebuild', dir, '-c', 'churned', '-y'],
          ['hnsw', 'config', dir, '-c', 'churned', ...RUNTIME, '-y'],
          ['wal', 'commit', dir, '-y'],
          ['wal', 'clean', dir, '-y'],
        ]) {
          const {code, stderr} = await chops(args)
          // Opened by a 1.x engine, the log may have been committed and cleaned: then there is nothing to refuse.
          if (args[0] === 'wal' && code === 0) continue
          expect(code, stderr).to.equal(3)
          expect(stderr).to.match(new RegExp(`is open in process ${pid} \\(.*python.*judge\\.py hold`))
        }

        expect(fingerprint(dir)).to.deep.equal(before)
        await run('hnsw', 'rebuild', dir, '-c', 'churned', '-y', '--force')
      })
      await expectSound(engine, dir, original, {goOn: false})
    })
  })
}
