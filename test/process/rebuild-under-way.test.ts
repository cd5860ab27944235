import {expect} from 'chai'
import {cpSync, existsSync, linkSync, readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {
  childrenOf,
  isRunning,
  newSegmentFolder,
  type RunningChops,
  startChops,
  until,
  whileOpenElsewhere,
} from '../support/background.js'
import {chops, chopsJson} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {appendManyAdds, hasProcessFiles, locate} from '../support/segments.js'
import {expectSound, readPersistState, stateOf} from '../support/sound.js'
import {fingerprint} from '../support/untouched.js'

/** Enough of both that a signal comes long before the build is over. */
const MANY = 2000
const SLOW = ['--construction-ef', '1000', '--m', '48']

/** Starts a rebuild that takes long, and waits until it has a folder for the new index. */
async function startRebuild(persistDir: string): Promise<RunningChops & {staged: string}> {
  const entries = readdirSync(persistDir)
  const running = startChops(['hnsw', 'rebuild', persistDir, '-c', 'odd-name_1', '-y', ...SLOW])
  return {...running, staged: await newSegmentFolder(persistDir, entries)}
}

describe('while chops builds an index', () => {
  const slow = unpackFixture('chroma-1.5.9').persistDir

  before(async () => {
    const {topic} = await locate(slow, 'odd-name_1')
    await appendManyAdds(slow, topic, MANY, 8)
  })

  for (const kind of ['SIGINT', 'SIGTERM'] as const) {
    it(`${kind} ends it with 130, and leaves nothing behind`, async function () {
      if (!hasProcessFiles()) this.skip()
      const before = fingerprint(slow)
      const {child, ended, staged} = await startRebuild(slow)
      const pid = child.pid ?? 0
      const children = await childrenOf(pid)
      // A terminal sends Ctrl-C to the whole group, other programs to the process alone.
      process.kill(kind === 'SIGINT' ? -pid : pid, kind)
      const {code, signal, stderr} = await ended
      expect({code, signal}, stderr).to.deep.equal({code: 130, signal: null})
      expect(stderr).to.match(/^Error: Interrupted\.$/m)
      expect(existsSync(join(slow, staged))).to.equal(false)
      expect(fingerprint(slow)).to.deep.equal(before)
      expect(children).to.have.length(1)
      expect(children.filter((id) => isRunning(id))).to.deep.equal([])
    })
  }

  it('SIGKILL ends the process that builds as well, also between two batches of vectors', async function () {
    if (!hasProcessFiles()) this.skip()
    const persistDir = join(temporaryFolder(), 'persist')
    cpSync(slow, persistDir, {recursive: true})
    const {child, ended} = await startRebuild(persistDir)
    const children = await childrenOf(child.pid ?? 0)
    expect(children).to.have.length(1)
    child.kill('SIGKILL')
    await ended
    await until(() => children.every((id) => !isRunning(id)) || undefined)
  })

  it('another chops is refused, and the first one ends well', async function () {
    if (!hasProcessFiles()) this.skip()
    const persistDir = join(temporaryFolder(), 'persist')
    cpSync(slow, persistDir, {recursive: true})
    const {child, ended} = await startRebuild(persistDir)
    child.kill('SIGSTOP')
    const second = await chops(['hnsw', 'rebuild', persistDir, '-c', 'churned', '-y'])
    child.kill('SIGCONT')
    expect(second.code, second.stderr).to.equal(3)
    expect(second.stderr).to.match(
      new RegExp(`chroma\\.sqlite3 is open in process ${child.pid} \\(.*hnsw rebuild`),
    )
    const first = await ended
    expect(first.code, first.stderr).to.equal(0)
    const {collections, problems} = await readPersistState(persistDir)
    const found = [...collections.values()].find(({name}) => name.endsWith('odd-name_1'))
    expect(found?.indexed.size).to.equal(20 + MANY)
    expect(problems).to.deep.equal([])
  })
})

describe('two that change a directory at once', () => {
  it('one waits or gives up, and the directory is sound', async () => {
    const {expected, persistDir} = unpackFixture('chroma-0.6.3')
    const before = await stateOf('chroma-0.6.3')
    const runs = await Promise.all([
      chops(['hnsw', 'rebuild', persistDir, '-c', 'churned', '-y', '--force']),
      chops(['wal', 'commit', persistDir, '-y', '--force']),
    ])
    for (const {code, stderr} of runs) expect([0, 3], stderr).to.include(code)
    expect(runs.map(({code}) => code)).to.include(0)
    // When the commit came first, the rebuild's backup is of the index that the commit made.
    await expectSound(persistDir, {
      before,
      expected,
      fine: /_backup_\d{14} is not what the folder was before$/,
    })
  })
})

describe('a directory that another program has open', () => {
  const commands = [
    ['hnsw', 'rebuild', '-c', 'churned', '--m', '10'],
    ['hnsw', 'config', '-c', 'churned', '--search-ef', '10'],
    ['wal', 'commit', '--skip', 'defaults,odd-name_1'],
  ]

  it('is refused with exit code 3, which names the process and its program', async function () {
    if (!hasProcessFiles()) this.skip()
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await whileOpenElsewhere(persistDir, async (pid) => {
      const before = fingerprint(persistDir)
      for (const [topic = '', verb = '', ...flags] of commands) {
        const {code, json} = await chopsJson<{
          error: {code: string; file: string; message: string; next: string}
        }>([topic, verb, persistDir, '-y', ...flags])
        expect(code, verb).to.equal(3)
        expectToMatchSchema('error', json)
        expect(json.error).to.include({code: 'in-use', file: join(persistDir, 'chroma.sqlite3')})
        expect(json.error.message).to.include(`is open in process ${pid} (`).and.to.include('node')
        expect(json.error.next).to.include('--force')
      }

      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  })

  it('is refused where the other program knows the database by another path, as in a container', async function () {
    if (!hasProcessFiles()) this.skip()
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const elsewhere = temporaryFolder()
    // To mount the directory there takes root; a hard link is the same file under two paths as well.
    linkSync(join(persistDir, 'chroma.sqlite3'), join(elsewhere, 'chroma.sqlite3'))
    await whileOpenElsewhere(elsewhere, async (pid) => {
      const {code, stderr} = await chops(['wal', 'config', persistDir, '--purge', 'off', '-y'])
      expect(code).to.equal(3)
      expect(stderr).to.include(`${join(persistDir, 'chroma.sqlite3')} is open in process ${pid} (`)
      const check = await chopsJson<{findings: {id: string; message: string}[]}>(['db', 'check', persistDir])
      expect(check.json.findings.find(({id}) => id === 'P1')?.message).to.include(`${pid}`)
    })
  })

  it('is changed where what is open is nothing of Chroma, such as the log that cron keeps in the directory', async function () {
    if (!hasProcessFiles()) this.skip()
    const {persistDir} = unpackFixture('chroma-1.5.9')
    writeFileSync(join(persistDir, 'chops.log'), '')
    await whileOpenElsewhere(
      persistDir,
      async () => {
        const {code, stderr} = await chops(['wal', 'config', persistDir, '--purge', 'off', '-y'])
        expect(code, stderr).to.equal(0)
        expect((await chops(['db', 'check', persistDir])).stdout).not.to.include('P1')
      },
      'chops.log',
    )
  })

  it('is refused where an index file is open', async function () {
    if (!hasProcessFiles()) this.skip()
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = join((await locate(persistDir, 'churned')).segmentId, 'header.bin')
    await whileOpenElsewhere(
      persistDir,
      async (pid) => {
        const {code, stderr} = await chops(['wal', 'config', persistDir, '--purge', 'off', '-y'])
        expect(code).to.equal(3)
        expect(stderr).to.include(`${join(persistDir, file)} is open in process ${pid} (`)
      },
      file,
    )
  })

  it('is changed all the same with --force', async function () {
    if (!hasProcessFiles()) this.skip()
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    const before = await stateOf('chroma-1.5.9')
    await whileOpenElsewhere(persistDir, async () => {
      for (const [topic = '', verb = '', ...flags] of commands) {
        const {code, stderr} = await chops([topic, verb, persistDir, '-y', '--force', ...flags])
        expect(code, stderr).to.equal(0)
      }
    })
    await expectSound(persistDir, {before, expected})
  })
})
