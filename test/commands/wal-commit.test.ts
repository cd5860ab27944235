import {readCatalog, selectCollection} from '@chops/core/catalog'
import {withWriteAccess} from '@chops/core/change'
import {expect} from 'chai'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

import type {WalCommitOutput} from '../../plugins/ops-wal/src/commands/wal/commit.js'

import {
  commit,
  type CommitPlan,
  type CommitResult,
  planCommit,
} from '../../plugins/ops-wal/src/services/commit.js'
import {chops, chopsJson} from '../support/cli.js'
import {DAMAGE} from '../support/damage.js'
import {replay, rowsBetween, type Vectors} from '../support/faults/persist-state.js'
import {FIXTURES, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {
  appendLog,
  decodeEmbedding,
  deviation,
  locate,
  type NewLogRow,
  readStoredIndex,
  withoutLoaderInChildren,
} from '../support/segments.js'
import {expectSound, type PersistState, readPersistState, stateOf} from '../support/sound.js'
import {fingerprint} from '../support/untouched.js'

const ONE_THREAD = 1

/** With so many threads a full build is always expected to be faster. */
const MANY_THREADS = 1000

const BINARY_FILES = ['header.bin', 'data_level0.bin', 'length.bin', 'link_lists.bin']

interface Committed {
  committed: CommitResult[]
  planned: CommitPlan[]
}

/** What the command does once it has its answer. */
async function commitAll(persistDir: string, threads = ONE_THREAD): Promise<Committed> {
  return withWriteAccess(persistDir, {}, async (dir) => {
    const {planned} = await planCommit(dir, [])
    const committed: CommitResult[] = []
    for (const plan of planned) {
      const result = await commit(dir, plan, {threads})
      if (result) committed.push(result)
    }

    return {committed, planned}
  })
}

/** Commits the log of one collection. */
async function commitOne(
  persistDir: string,
  name: string,
  {tenant, threads = ONE_THREAD}: {tenant?: string; threads?: number} = {},
): Promise<CommitResult | undefined> {
  return withWriteAccess(persistDir, {}, async (dir) => {
    const {id} = selectCollection(await readCatalog(dir), {name, tenant})
    const {planned} = await planCommit(dir, [])
    const plan = planned.find(({collectionId}) => collectionId === id)
    return plan && commit(dir, plan, {threads})
  })
}

/** The last row of a collection's log. */
function lastRow({log}: PersistState, topic: string): number | undefined {
  return [...log].findLast(([, row]) => row.topic === topic)?.[0]
}

function vector(...values: number[]): Float32Array {
  return Float32Array.from(values)
}

describe('wal commit', () => {
  withoutLoaderInChildren()

  // 0.5.23 differs from 0.6.3 in nothing that matters here.
  for (const name of FIXTURES.filter((fixture) => fixture !== 'chroma-0.5.23')) {
    it(`on ${name} commits every collection of every tenant and loses nothing`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const before = await stateOf(name)
      const {committed, planned} = await commitAll(persistDir)
      expect(planned.map(({collectionId}) => collectionId)).to.have.members(
        expected.collections.map(({id}) => id),
      )
      await expectSound(persistDir, {before, expected})

      const after = await readPersistState(persistDir)
      for (const {collectionId, pending} of planned) {
        const [old, now] = [before.collections.get(collectionId), after.collections.get(collectionId)]
        const topic = old?.topic ?? ''
        const rows = rowsBetween(before.log, topic, old?.applied ?? 0)
        expect(pending, old?.name).to.equal(rows.length)
        const result = committed.find((candidate) => candidate.collectionId === collectionId)
        expect(result?.appliedRows ?? 0, old?.name).to.equal(rows.length)
        if (rows.length === 0) expect(now?.folder, old?.name).to.equal(old?.folder)
        else expect(now?.applied, old?.name).to.equal(lastRow(before, topic))
        const records = expected.collections.find(({id}) => id === collectionId)?.records ?? []
        expect(now?.indexed.size, old?.name).to.equal(records.length)
      }

      expect(after.log).to.deep.equal(before.log)
      expect(readdirSync(persistDir).filter((entry) => entry.includes('backup'))).to.deep.equal([])
      expect((await commitAll(persistDir)).committed).to.deep.equal([])
    })
  }

  describe('replays the log as the engines do', () => {
    /** Rows of `churned` of acme (l2, 103 records) with every operation, in every order that matters. */
    async function everyOperation(persistDir: string): Promise<{rows: NewLogRow[]; topic: string}> {
      const {folder, topic} = await locate(persistDir, 'churned', 'acme')
      const [first, second, third, fourth, fifth] = (
        await readStoredIndex(folder, 'l2')
      ).metadata.idToLabel.keys()
      if (!first || !second || !third || !fourth || !fifth) throw new Error('the fixture has no such ids')
      const rows: NewLogRow[] = [
        {id: first, operation: 1, vector: vector(1, 0, 0, 0, 0, 0, 0, 0)},
        {id: first, operation: 1, vector: vector(2, 0, 0, 0, 0, 0, 0, 0)},
        {id: second, operation: 2, vector: vector(3, 0, 0, 0, 0, 0, 0, 0)},
        {id: third, operation: 3},
        {id: fourth, operation: 3},
        {id: fourth, operation: 0, vector: vector(4, 0, 0, 0, 0, 0, 0, 0)},
        {id: fifth, operation: 1},
        {id: fifth, operation: 0, vector: vector(5, 0, 0, 0, 0, 0, 0, 0)},
        {id: 'new', operation: 2, vector: vector(6, 0, 0, 0, 0, 0, 0, 0)},
        {id: 'new', operation: 1, vector: vector(7, 0, 0, 0, 0, 0, 0, 0)},
        {id: 'brief', operation: 0, vector: vector(8, 0, 0, 0, 0, 0, 0, 0)},
        {id: 'brief', operation: 3},
        {id: 'unknown', operation: 1, vector: vector(9, 0, 0, 0, 0, 0, 0, 0)},
        {id: 'unknown', operation: 3},
        {id: 'marker', operation: 4},
      ]
      await appendLog(persistDir, topic, rows)
      return {rows, topic}
    }

    for (const name of ['chroma-0.5.5', 'chroma-0.6.3', 'chroma-1.0.16', 'chroma-1.5.9'] as const) {
      for (const method of name === 'chroma-0.6.3' ? (['extend', 'full'] as const) : (['extend'] as const)) {
        it(`${name}, ${method}`, async () => {
          const {persistDir} = unpackFixture(name)
          await commitOne(persistDir, 'churned', {tenant: 'acme'})
          const old = await locate(persistDir, 'churned', 'acme')
          const oldIndex = await readStoredIndex(old.folder, 'l2')
          const {rows, topic} = await everyOperation(persistDir)
          const before = await readPersistState(persistDir)
          const state = before.collections.get(old.id)
          const wanted: Vectors = replay(
            state?.indexed ?? new Map(),
            rowsBetween(before.log, topic, state?.applied ?? 0),
          )

          const threads = method === 'extend' ? ONE_THREAD : MANY_THREADS
          const result = await commitOne(persistDir, 'churned', {tenant: 'acme', threads})
          expect(result).to.include({appliedRows: rows.length, method})
          const {folder} = await locate(persistDir, 'churned', 'acme')
          const {deleted, metadata, vectors} = await readStoredIndex(folder, 'l2')
          expect(new Map([...vectors].map(([id, stored]) => [id, stored.vector]))).to.deep.equal(wanted)

          const labels = [...metadata.idToLabel.values()]
          expect(new Set(labels).size).to.equal(labels.length)
          if (method === 'full') {
            expect(deleted).to.equal(0)
            expect(metadata.totalElementsAdded).to.equal(labels.length)
          } else {
            // Of the old labels two are gone; the re-added id, the new one and the brief one got one each.
            expect(deleted).to.equal(oldIndex.deleted + 2)
            expect(metadata.totalElementsAdded).to.equal(oldIndex.metadata.totalElementsAdded + 3)
            for (const [id, label] of oldIndex.metadata.idToLabel) {
              const now = metadata.idToLabel.get(id)
              expect(
                now === undefined || now === label || now > oldIndex.metadata.totalElementsAdded,
                id,
              ).to.equal(true)
            }
          }
        })
      }
    }

    it('a change of metadata alone carries the index over as it is', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      await commitOne(persistDir, 'churned')
      const old = await locate(persistDir, 'churned')
      const {metadata} = await readStoredIndex(old.folder, 'cosine')
      const [id = ''] = metadata.idToLabel.keys()
      const files = (folder: string): Buffer[] => BINARY_FILES.map((file) => readFileSync(join(folder, file)))
      const before = files(old.folder)
      const [seqId] = await appendLog(persistDir, old.topic, [{id, operation: 1}])
      expect(await commitOne(persistDir, 'churned')).to.include({appliedRows: 1, method: 'extend'})
      const now = await locate(persistDir, 'churned')
      expect(now.vectorSegment?.maxSeqId).to.equal(seqId)
      expect(now.segmentId).not.to.equal(old.segmentId)
      expect(files(now.folder)).to.deep.equal(before)
      expect((await readStoredIndex(now.folder, 'cosine')).metadata.idToLabel).to.deep.equal(
        metadata.idToLabel,
      )
    })

    it('normalises what goes into a cosine index and keeps its norm', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {topic} = await locate(persistDir, 'churned')
      await appendLog(persistDir, topic, [{id: 'long', operation: 0, vector: vector(0, 3, 0, 4, 0, 0, 0, 0)}])
      await commitOne(persistDir, 'churned')
      const {vectors} = await readStoredIndex((await locate(persistDir, 'churned')).folder, 'cosine')
      expect(vectors.get('long')?.norm).to.equal(5)
      expect(deviation(vectors.get('long')?.vector, vector(0, 0.6, 0, 0.8, 0, 0, 0, 0))).to.be.below(1e-7)
    })

    it('makes an index without elements of a collection whose records were all deleted, and goes on from it', async () => {
      for (const name of ['chroma-0.5.5', 'chroma-0.6.3', 'chroma-1.5.9'] as const) {
        const {expected, persistDir} = unpackFixture(name)
        const {id, topic} = await locate(persistDir, 'churned')
        const records = expected.collections.find((collection) => collection.id === id)?.records ?? []
        await appendLog(
          persistDir,
          topic,
          records.map((record) => ({id: record.id, operation: 3})),
        )
        expect(await commitOne(persistDir, 'churned'), name).to.include({elements: 0})

        const [record] = records
        const wanted = decodeEmbedding(record?.embedding_b64 ?? '')
        await appendLog(persistDir, topic, [{id: 'again', operation: 0, vector: wanted}])
        expect(await commitOne(persistDir, 'churned'), name).to.include({appliedRows: 1, elements: 1})
        const state = (await readPersistState(persistDir)).collections.get(id)
        expect([...(state?.indexed.keys() ?? [])]).to.deep.equal(['again'])
        expect(deviation(state?.indexed.get('again'), wanted)).to.be.below(1e-6)
      }
    })
  })

  describe('with rows that no engine could apply', () => {
    const BAD: [collection: string, row: NewLogRow, says: RegExp][] = [
      [
        'churned',
        {id: 'short', operation: 0, vector: vector(1, 2, 3)},
        /of 3 dimensions, and the collection has 8\.$/,
      ],
      [
        'inner_product',
        {encoding: 'INT32', id: 'whole', operation: 2, vector: new Uint8Array(32)},
        /encoding "INT32", not FLOAT32\.$/,
      ],
      ['odd-name_1', {id: 'odd', operation: 9}, /unknown operation 9\.$/],
      ['wal_only', {id: 'none', operation: 0}, /adds a record without an embedding\.$/],
    ]

    it('reports each collection, leaves it as it is, and commits the others', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const seqIds = new Map<string, number | undefined>()
      for (const [collection, row] of BAD) {
        const {topic} = await locate(persistDir, collection)
        seqIds.set(collection, (await appendLog(persistDir, topic, [row]))[0])
      }

      const before = await readPersistState(persistDir)
      const {code, json} = await chopsJson<WalCommitOutput>(['wal', 'commit', persistDir, '--yes'])
      expect(code).to.equal(4)
      expectToMatchSchema('wal-commit', json)
      const after = await readPersistState(persistDir)
      expect(json.failed.map(({collection}) => collection)).to.have.members(
        BAD.map(([collection]) => collection),
      )
      for (const [collection, {id}, says] of BAD) {
        const failed = json.failed.find((candidate) => candidate.collection === collection)
        expect(failed?.message)
          .to.match(says)
          .and.to.include(`Row ${seqIds.get(collection)} of the log (collection ${collection}, id "${id}")`)
        expect(after.collections.get(failed?.collectionId ?? '')).to.deep.equal(
          before.collections.get(failed?.collectionId ?? ''),
        )
      }

      expect(json.committed.map(({collection}) => collection)).to.include('defaults')
      expect(after.problems).to.deep.equal(before.problems)
      expect(after.entries).to.have.length(before.entries.length)
    })

    it('goes on as well where the id map of one says how far it is, and is damaged', async () => {
      const {persistDir} = unpackFixture('chroma-0.5.5')
      const {folder, id} = await locate(persistDir, 'churned')
      DAMAGE.truncated(join(folder, 'index_metadata.pickle'))
      const {code, json} = await chopsJson<WalCommitOutput>(['wal', 'commit', persistDir, '--yes'])
      expect(code).to.equal(4)
      expect(json.failed.map(({collectionId}) => collectionId)).to.deep.equal([id])
      expect(json.failed[0]?.message).to.include('index_metadata.pickle')
      const others = json.planned.filter(({collectionId, pending}) => pending > 0 && collectionId !== id)
      expect(json.committed.map(({collectionId}) => collectionId)).to.have.members(
        others.map(({collectionId}) => collectionId),
      )
    })

    it('says with --dry-run already which collections it cannot commit, and why', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {folder} = await locate(persistDir, 'churned')
      DAMAGE.truncated(join(folder, 'header.bin'))
      const {topic} = await locate(persistDir, 'odd-name_1')
      await appendLog(persistDir, topic, [{id: 'odd', operation: 9}])
      const before = fingerprint(persistDir)
      const {code, json} = await chopsJson<WalCommitOutput & {warnings: string[]}>([
        'wal',
        'commit',
        persistDir,
        '-y',
        '--dry-run',
      ])
      expect(code).to.equal(0)
      expectToMatchSchema('wal-commit', json)
      expect(json.warnings).to.have.length(2)
      expect(json.warnings[0]).to.match(/^The commit of collection churned \(.*\) would fail: .*header\.bin/)
      expect(json.warnings[1]).to.match(/^The commit of collection odd-name_1 .* unknown operation 9\.$/)
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('in text says the same, and does not call the commit complete', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {topic} = await locate(persistDir, 'odd-name_1')
      await appendLog(persistDir, topic, [{id: 'odd', operation: 9}])
      const {code, stderr, stdout} = await chops(['wal', 'commit', persistDir, '--yes'])
      expect(code).to.equal(4)
      expect(stderr).to.match(/^Error: Row \d+ of the log .* has the unknown operation 9\.\n {2}\S.*\.$/m)
      expect(stderr).not.to.match(/^\s+at /m)
      expect(stdout).to.include('log rows of collection defaults').and.not.to.include('completed')
    })

    it('the only collection left to commit is the command’s own failure', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {topic} = await locate(persistDir, 'odd-name_1')
      await appendLog(persistDir, topic, [{id: 'odd', operation: 9}])
      const before = fingerprint(persistDir)
      const skip = ['--skip', 'churned,defaults', '--skip', 'wal_only']
      const {code, json} = await chopsJson<{error: {message: string}}>([
        'wal',
        'commit',
        persistDir,
        '-y',
        ...skip,
      ])
      expect(code).to.equal(4)
      expectToMatchSchema('error', json)
      expect(json.error.message).to.include('unknown operation 9')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  })

  describe('on the command line', () => {
    it('says so when there is no collection of a name to skip', async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const args = ['wal', 'commit', persistDir, '--dry-run', '--skip', 'chruned']
      const {stderr} = await chops(args)
      expect(stderr).to.include('Warning: There is no collection "chruned" to skip.')
    })

    it('leaves out what --skip names, as a comma list or repeated, in every database', async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const before = await readPersistState(persistDir)
      const skip = ['-s', 'churned,odd-name_1', '--skip', 'wal_only']
      const {code, json} = await chopsJson<WalCommitOutput>(['wal', 'commit', persistDir, '-y', ...skip])
      expect(code).to.equal(0)
      expectToMatchSchema('wal-commit', json)
      const skipped = json.planned.filter((plan) => plan.skipped)
      expect(skipped.map(({collection, tenant}) => `${tenant} ${collection}`)).to.have.members([
        'acme churned',
        'default_tenant churned',
        'default_tenant odd-name_1',
        'default_tenant wal_only',
      ])
      expect(json.committed.map(({collection}) => collection)).to.deep.equal(['defaults'])
      const after = await readPersistState(persistDir)
      for (const {collectionId} of skipped) {
        expect(after.collections.get(collectionId)).to.deep.equal(before.collections.get(collectionId))
      }
    })

    it('shows the plan with --dry-run, asks without --yes, and takes no for an answer', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const before = fingerprint(persistDir)
      const dry = await chopsJson<WalCommitOutput>(['wal', 'commit', persistDir, '--dry-run'])
      expect(dry.code).to.equal(0)
      expectToMatchSchema('wal-commit', dry.json)
      expect(dry.json).to.deep.include({committed: [], dryRun: true, failed: []})
      const pending = dry.json.planned
        .filter((plan) => plan.pending > 0)
        .map((plan) => [plan.collection, plan.pending])
      expect(Object.fromEntries(pending)).to.deep.equal({
        churned: 20,
        defaults: 537,
        'odd-name_1': 20,
        wal_only: 16,
      })

      const no = await chops(['wal', 'commit', persistDir], {input: 'no\n'})
      expect(no.code).to.equal(0)
      expect(no.stdout).to.match(/│ churned +│ default_tenant +│ default_database +│ 21 +│ 20 +│/)
      expect(no.stdout).to.include('Cancelled: nothing was changed.')

      const end = await chops(['wal', 'commit', persistDir])
      expect(end.code).to.equal(2)
      expect(end.stderr).to.include('--yes')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('takes a yes from a pipe, and afterwards has nothing to do', async () => {
      const {expected, persistDir} = unpackFixture('chroma-0.6.3')
      const before = await stateOf('chroma-0.6.3')
      const args = ['wal', 'commit', persistDir, '--skip', 'defaults,odd-name_1,wal_only']
      const {code, stdout} = await chops(args, {input: 'y\n'.repeat(100)})
      expect(code).to.equal(0)
      expect(stdout).to.include('WAL commit completed.')
      await expectSound(persistDir, {before, expected})

      const committed = fingerprint(persistDir)
      const again = await chops(args)
      expect(again.code).to.equal(0)
      expect(again.stdout).to.include('Nothing is pending')
      const {json} = await chopsJson<WalCommitOutput>([...args, '-y'])
      expectToMatchSchema('wal-commit', json)
      expect(json.committed).to.deep.equal([])
      expect(fingerprint(persistDir)).to.deep.equal(committed)
    })
  })
})
