import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {rmSync, truncateSync} from 'node:fs'
import {join} from 'node:path'

import {openPersistDir} from '@chops/core/persist-dir'

import {
  cleanWal,
  planWalClean,
  type WalClean,
  type WalCleanPlan,
} from '../../plugins/ops-wal/src/services/wal-clean.js'
import {whileOpenElsewhere} from '../support/background.js'
import {chops, chopsJson} from '../support/cli.js'
import {type PersistState} from '../support/faults/persist-state.js'
import {runFaulted} from '../support/faults/faulted-run.js'
import {type FixtureName, FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {appendLog, hasProcessFiles, locate} from '../support/segments.js'
import {expectSound, readPersistState} from '../support/sound.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const ORPHAN = 'persistent://default/default/00000000-0000-4000-8000-000000000000'

/** What a clean deletes of a fixture, and whether that is worth a VACUUM. */
const CLEANED: Record<FixtureName, [deleted: number, vacuumed: boolean]> = {
  'chroma-0.4.24': [499, true],
  'chroma-0.5.5': [499, true],
  'chroma-0.5.23': [2, true],
  'chroma-0.6.3': [2, true],
  'chroma-1.0.16': [1, true],
  'chroma-1.5.9': [1, true],
  'chroma-0.4.24-then-1.5.9': [646, true],
  'chroma-0.5.5-then-1.0.16': [646, true],
  'chroma-0.6.3-then-1.5.9': [2, false],
}

async function plan(persistDir: string, skip: string[] = []): Promise<WalCleanPlan> {
  const dir = await openPersistDir(persistDir)
  try {
    return await planWalClean(dir, {skip})
  } finally {
    await dir.close()
  }
}

/** What the command does once it has its answer. */
async function clean(persistDir: string, skip: string[] = []): Promise<WalClean> {
  return cleanWal(await plan(persistDir, skip))
}

/** The rows that an independent reading of the log says must stay: pending ones, and the newest of each topic. */
function mustStay({collections, log}: PersistState): number[] {
  const newest = new Map([...log].map(([seqId, {topic}]) => [topic, seqId]))
  const applied = new Map(
    [...collections.values()].map(({applied, appliedInMetadata, topic}) => [
      topic,
      Math.min(applied, appliedInMetadata),
    ]),
  )
  return [...log]
    .filter(([seqId, {topic}]) => seqId > (applied.get(topic) ?? 0) || seqId === newest.get(topic))
    .map(([seqId]) => seqId)
}

async function seqIds(persistDir: string, topic: string): Promise<number[]> {
  const rows = await withDatabase(persistDir, (db) =>
    db.all<{seq_id: number}>('SELECT seq_id FROM embeddings_queue WHERE topic = ? ORDER BY seq_id', [topic]),
  )
  return rows.map((row) => row.seq_id)
}

describe('wal clean', () => {
  for (const name of FIXTURES) {
    it(`deletes from ${name} what both segments have applied, but for the newest rows`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const before = await readPersistState(persistDir)
      const {deleted, sizeAfter, sizeBefore, topics, vacuumed} = await clean(persistDir)
      expect([deleted, vacuumed]).to.deep.equal(CLEANED[name])
      const after = await readPersistState(persistDir)
      expect([...after.log.keys()]).to.deep.equal(mustStay(before))
      expect(deleted).to.equal(before.log.size - after.log.size)
      for (const {deleted, kept, topic} of topics) {
        expect([...before.log.values()].filter((row) => row.topic === topic)).to.have.length(deleted + kept)
      }

      if (vacuumed) expect(sizeAfter).to.be.below(sizeBefore)
      else expect(sizeAfter).to.equal(sizeBefore)
      await expectSound(persistDir, {before, expected})
      expect((await plan(persistDir)).deletable).to.equal(0)
    })
  }

  it('deletes the topics of collections that do not exist, but for the highest row of the log', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const [highest] = (
      await appendLog(persistDir, ORPHAN, [
        {id: 'a', operation: 3},
        {id: 'b', operation: 3},
      ])
    ).slice(-1)
    const {topics} = await clean(persistDir)
    expect(topics.find(({topic}) => topic === ORPHAN)).to.include({
      collection: null,
      deleted: 1,
      kept: 1,
      orphan: true,
    })
    expect(await seqIds(persistDir, ORPHAN)).to.deep.equal([highest])

    const {topic} = await locate(persistDir, 'churned')
    await appendLog(persistDir, topic, [{id: 'pending', operation: 3}])
    await clean(persistDir)
    expect(await seqIds(persistDir, ORPHAN)).to.deep.equal([])
  })

  it('keeps a topic that belongs to a collection under another prefix', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const {id, topic: own} = await locate(persistDir, 'churned')
    const other = `persistent://acme/own/${id.toUpperCase()}`
    await appendLog(persistDir, other, [
      {id: 'a', operation: 3},
      {id: 'b', operation: 3},
    ])
    await appendLog(persistDir, own, [{id: 'c', operation: 3}])
    const {topics} = await clean(persistDir)
    expect(topics.find(({topic}) => topic === other)).to.deep.include({
      deleted: 0,
      keepReasons: ['foreign'],
      kept: 2,
    })
    expect(await seqIds(persistDir, other)).to.have.length(2)
  })

  it('keeps a topic whose segment claims to have applied more than the log ever held', async () => {
    const {persistDir} = unpackFixture('chroma-0.4.24-then-1.5.9')
    const {topic, segmentId} = await locate(persistDir, 'churned')
    const poisoned = 1_229_821_589_196_978_484n
    await withDatabase(persistDir, (db) =>
      db.run('UPDATE max_seq_id SET seq_id = ? WHERE segment_id = ?', [poisoned, segmentId]),
    )
    const before = await seqIds(persistDir, topic)
    const {deleted, topics} = await clean(persistDir)
    expect(topics.find((cleaned) => cleaned.topic === topic)).to.deep.include({
      deleted: 0,
      keepReasons: ['ahead'],
    })
    expect(deleted).to.equal(CLEANED['chroma-0.4.24-then-1.5.9'][0] - 445)
    expect(await seqIds(persistDir, topic)).to.deep.equal(before)
  })

  it('keeps what the metadata segment has not applied, although the index has', async () => {
    const {persistDir} = unpackFixture('chroma-0.5.5')
    const {metadataSegment, topic} = await locate(persistDir, 'churned')
    const behind = Buffer.alloc(8)
    behind.writeBigUInt64BE(200n)
    await withDatabase(persistDir, (db) =>
      db.run('UPDATE max_seq_id SET seq_id = ? WHERE segment_id = ?', [behind, metadataSegment?.id ?? '']),
    )
    const {topics} = await clean(persistDir)
    expect(topics.find((cleaned) => cleaned.topic === topic)).to.deep.include({
      deleted: 200,
      keepReasons: ['pending', 'pending-metadata'],
      kept: 220,
    })
    expect((await seqIds(persistDir, topic))[0]).to.equal(201)
  })

  it('deletes nothing of a collection while one of its segments has applied nothing', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const {metadataSegment, topic} = await locate(persistDir, 'churned')
    await withDatabase(persistDir, (db) =>
      db.run('DELETE FROM max_seq_id WHERE segment_id = ?', [metadataSegment?.id ?? '']),
    )
    const {topics} = await plan(persistDir)
    expect(topics.find((cleaning) => cleaning.topic.topic === topic)?.deletable).to.equal(0)
  })

  it('deletes nothing when the log changed after it was looked at', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const stale = await plan(persistDir)
    await appendLog(persistDir, ORPHAN, [
      {id: 'a', operation: 3},
      {id: 'b', operation: 3},
    ])
    const before = fingerprint(persistDir)
    const error = await cleanWal(stale).catch((error: unknown) => error)
    expect(error).to.include({kind: 'in-use'})
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  describe('beside a damaged index', () => {
    it('stops before anything is deleted: the log may hold what the index lost', async () => {
      for (const name of ['chroma-0.5.5', 'chroma-1.5.9'] as const) {
        const {persistDir} = unpackFixture(name)
        const {folder} = await locate(persistDir, 'churned')
        truncateSync(join(folder, 'data_level0.bin'), 100)
        const before = fingerprint(persistDir)
        const {code, stderr} = await chops(['wal', 'clean', persistDir, '-y'])
        expect(code).to.equal(4)
        expect(stderr).to.include('data_level0.bin')
        expect(fingerprint(persistDir)).to.deep.equal(before)
      }
    })

    it('cleans the other collections when the one is skipped, in every database', async () => {
      const {persistDir} = unpackFixture('chroma-0.4.24')
      const {folder, topic} = await locate(persistDir, 'churned')
      rmSync(join(folder, 'header.bin'))
      truncateSync(join(folder, 'index_metadata.pickle'), 10)
      const before = await seqIds(persistDir, topic)
      const {code, json} = await chopsJson<WalClean & {warnings: string[]}>([
        'wal',
        'clean',
        persistDir,
        '-y',
        '--skip-collection-names',
        'churned,nope',
      ])
      expect(code).to.equal(0)
      expect(json).to.include({deleted: 99, status: 'done'})
      const skipped = json.topics.filter(({keepReasons}) => keepReasons.includes('skipped'))
      expect(skipped.map(({collection, tenant}) => `${tenant} ${collection}`)).to.have.members([
        'acme churned',
        'default_tenant churned',
      ])
      expect(json.warnings).to.deep.equal(['There is no collection "nope" to skip.'])
      expect(await seqIds(persistDir, topic)).to.deep.equal(before)
    })
  })

  describe('on the command line', () => {
    it('shows with --dry-run what stays and why, and changes nothing', async () => {
      const {persistDir} = unpackFixture('chroma-0.4.24')
      await appendLog(persistDir, ORPHAN, [{id: 'a', operation: 3}])
      const before = fingerprint(persistDir)
      const {code, stdout} = await chops(['wal', 'clean', persistDir, '--dry-run'])
      expect(code).to.equal(0)
      expect(stdout).to.match(
        /│ churned +│ acme +│ prod +│ \S+ │ 103 +│ 100 +│ 3 +│ 3 rows wait for chops wal commit +│/,
      )
      expect(stdout).to.match(/│ inner_product .*│ 100 +│ 99 +│ 1 +│ the newest row keeps the numbering +│/)
      expect(stdout).to.match(/│ orphan: no collection has this id .*│ 1 +│ 0 +│ 1 +│ the newest row/)
      const {json} = await chopsJson<WalClean>(['wal', 'clean', persistDir, '--dry-run'])
      expectToMatchSchema('wal-clean', json)
      expect(json).to.include({deletable: 499, deleted: 0, status: 'dry-run', vacuumed: false})
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('takes no for an answer, and no answer for an error', async () => {
      const {persistDir} = unpackFixture('chroma-0.4.24')
      const before = fingerprint(persistDir)
      const no = await chops(['wal', 'clean', persistDir], {input: 'n\n'})
      expect(no.code).to.equal(0)
      expect(no.stderr).to.include('Are you sure you want to clean up the WAL in')
      expect(no.stdout).to.include('Cancelled: nothing was changed.')
      const end = await chops(['wal', 'clean', persistDir])
      expect(end.code).to.equal(2)
      expect(end.stderr).to.include('--yes')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('takes a yes from a pipe, says what was deleted, and afterwards has nothing to do', async () => {
      const {persistDir} = unpackFixture('chroma-0.4.24')
      const {code, stdout} = await chops(['wal', 'clean', persistDir], {input: 'y\n'.repeat(100)})
      expect(code).to.equal(0)
      expect(stdout).to.match(/│ churned +│ acme +│ prod +│ \S+ │ 100 +│/)
      expect(stdout).to.match(/^499 rows deleted\.$/m)
      expect(stdout).to.match(/^Size before: 1064960 \(1\.0MiB\)$/m)
      expect(stdout).to.match(/^WAL cleaned up\. Size after: \d+ \(/m)

      const cleaned = fingerprint(persistDir)
      const again = await chopsJson<WalClean>(['wal', 'clean', persistDir])
      expect(again.code).to.equal(0)
      expectToMatchSchema('wal-clean', again.json)
      expect(again.json).to.include({deleted: 0, status: 'nothing-to-do'})
      expect(fingerprint(persistDir)).to.deep.equal(cleaned)
    })

    it('refuses a directory that another process has open, unless it is forced', async function () {
      if (!hasProcessFiles()) this.skip()
      const {persistDir} = unpackFixture('chroma-0.4.24')
      await whileOpenElsewhere(persistDir, async (pid) => {
        const before = fingerprint(persistDir)
        const {code, stderr} = await chops(['wal', 'clean', persistDir, '-y'])
        expect(code).to.equal(3)
        expect(stderr).to.include(`process ${pid}`)
        expect(fingerprint(persistDir)).to.deep.equal(before)
        const {json} = await chopsJson<WalClean>(['wal', 'clean', persistDir, '-y', '--force'])
        expectToMatchSchema('wal-clean', json)
        expect(json).to.include({deleted: 499, status: 'done', vacuumed: true})
      })
    })

    it('stops before anything is deleted when VACUUM would not have room', async () => {
      const {persistDir} = unpackFixture('chroma-0.4.24')
      const before = fingerprint(persistDir)
      const full = `import {syncBuiltinESMExports} from 'node:module'
        import fs from 'node:fs/promises'
        fs.statfs = async () => ({bavail: 1, bsize: 4096})
        syncBuiltinESMExports()`
      const env = {NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(full)}`}
      const {code, stderr} = await chops(['wal', 'clean', persistDir, '-y'], {env})
      expect(code).to.equal(4)
      expect(stderr).to.match(/Error: .* has 4\.0KiB free, and VACUUM of chroma\.sqlite3 needs/)
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('says that rows were deleted when only VACUUM fails, and leaves the file whole', async function () {
      if (process.platform === 'win32') this.skip()
      const {expected, persistDir} = unpackFixture('chroma-1.5.9')
      const before = await readPersistState(persistDir)
      // Stands in for a disk that fills up: no file may be written beyond 700 KiB, where no log row is.
      const command = 'ulimit -f 700 && exec "$0" bin/run.js wal clean "$1" -y'
      const {status, stderr} = spawnSync('bash', ['-c', command, process.execPath, persistDir], {
        encoding: 'utf8',
      })
      expect(status, stderr).to.equal(4)
      expect(stderr).to.match(/Error: 1 log row was deleted, but chroma\.sqlite3 could not be made smaller: /)
      expect(stderr).to.include('Nothing is lost')
      await expectSound(persistDir, {before, expected})
      expect((await readPersistState(persistDir)).log.size).to.equal(before.log.size - 1)
    })

    for (const [kind, code, says] of [
      ['EIO', 4, /^Error: 1 log row was deleted, but chroma\.sqlite3 could not be made smaller: /m],
      ['SIGINT', 130, /^Error: Interrupted: 1 log row was deleted, but .* smaller: it was interrupted\.$/m],
    ] as const) {
      it(`says that rows were deleted when ${kind} comes after the commit`, async () => {
        const args = ['wal', 'clean', '<dir>', '-y']
        const into = (dir: string): string[] => args.map((arg) => (arg === '<dir>' ? dir : arg))
        const rehearsal = await runFaulted({
          args: into(unpackFixture('chroma-1.5.9').persistDir),
          scratch: temporaryFolder(),
        })
        const commit = rehearsal.trace.findIndex(({detail}) => detail.startsWith('COMMIT'))
        const after = rehearsal.trace.findIndex(
          ({detail}, at) => at > commit && detail.includes('page_count'),
        )
        expect(after).to.be.greaterThan(commit)

        const {persistDir} = unpackFixture('chroma-1.5.9')
        const before = await readPersistState(persistDir)
        const fault = {kind, number: after + 1}
        const run = await runFaulted({args: into(persistDir), fault, scratch: temporaryFolder()})
        expect(run.code, run.stderr).to.equal(code)
        expect(run.stderr).to.match(says)
        expect((await readPersistState(persistDir)).log.size).to.equal(before.log.size - 1)
      })
    }
  })
})
