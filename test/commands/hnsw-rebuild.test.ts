import {type HnswParameters, readCatalog, selectCollection} from '@chops/core/catalog'
import {withWriteAccess} from '@chops/core/change'
import {openPersistDir} from '@chops/core/persist-dir'
import type {MethodOptions} from '@chops/core/reindex'
import {CLIError} from '@oclif/core/errors'
import {Parser} from '@oclif/core'
import {expect} from 'chai'
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {basename, join} from 'node:path'

import HnswRebuild, {type HnswRebuildOutput} from '../../plugins/ops-hnsw/src/commands/hnsw/rebuild.js'
import {parametersOf} from '../../plugins/ops-hnsw/src/flags.js'
import {type FragmentedChoice, selectFragmented} from '../../plugins/ops-hnsw/src/services/fragmented.js'
import {
  planRebuild,
  rebuild,
  type RebuildPlan,
  type RebuildResult,
} from '../../plugins/ops-hnsw/src/services/rebuild.js'
import {withEnvironment} from '../core/build/vectors.js'
import {chops, chopsJson} from '../support/cli.js'
import {DAMAGE} from '../support/damage.js'
import {folderFingerprint} from '../support/faults/persist-state.js'
import {type FixtureName, FIXTURES, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {expectSound, type PersistState, readPersistState, stateOf} from '../support/sound.js'
import {
  appendLog,
  decodeEmbedding,
  deviation,
  embeddingOf,
  locate,
  type Located,
  markDeleted,
  readStoredIndex,
  type StoredIndex,
  withoutLoaderInChildren,
} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

interface Wanted {
  backup?: boolean
  changes?: Partial<HnswParameters>
  method?: MethodOptions['method']
  name?: string
  tenant?: string
}

/** What the command does once it has its answer. */
async function rebuildOf(
  persistDir: string,
  {backup = true, changes = {}, method, name = 'churned', tenant}: Wanted = {},
): Promise<RebuildResult> {
  return withWriteAccess(persistDir, {}, async (dir) => {
    const collection = selectCollection(await readCatalog(dir), {name, tenant})
    return rebuild(dir, await planRebuild(dir, collection, changes, {method}), {backup, method})
  })
}

async function planOf(persistDir: string, wanted: Partial<HnswParameters>): Promise<RebuildPlan> {
  const dir = await openPersistDir(persistDir)
  try {
    return await planRebuild(dir, selectCollection(await readCatalog(dir), {name: 'churned'}), wanted)
  } finally {
    await dir.close()
  }
}

/** Every row of the database, but for the log and the full-text index, that mentions a text. */
async function rowsThatMention(persistDir: string, text: string): Promise<string[]> {
  return withDatabase(persistDir, async (db) => {
    const tables = await db.all<{name: string}>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%fulltext%'",
    )
    const found: string[] = []
    for (const {name} of tables) {
      const rows = await db.all<object>(`SELECT * FROM ${name}`)
      found.push(...rows.filter((row) => Object.values(row).includes(text)).map(() => name))
    }

    return [...new Set(found)].sort()
  })
}

/** The generations that keep how far an index is in the index metadata alone. */
const IN_PICKLE: FixtureName[] = ['chroma-0.4.24', 'chroma-0.5.5']
const RUST: FixtureName[] = FIXTURES.filter((name) => /1\.[05]\.\d+$/.test(name))

describe('hnsw rebuild', () => {
  withoutLoaderInChildren()

  for (const name of FIXTURES) {
    describe(`on ${name}`, () => {
      const {expected, persistDir} = unpackFixture(name)
      const records = expected.collections.find(
        (collection) => collection.name === 'churned' && collection.tenant === 'default_tenant',
      )?.records
      let state: PersistState
      let now: Located
      let old: Located
      let oldIndex: StoredIndex
      let result: RebuildResult
      let tablesBefore: string[]

      before(async () => {
        state = await stateOf(name)
        old = await locate(persistDir, 'churned')
        oldIndex = await readStoredIndex(old.folder, 'cosine')
        tablesBefore = await rowsThatMention(persistDir, old.segmentId)
        result = await rebuildOf(persistDir)
        now = await locate(persistDir, 'churned')
      })

      it('loses no record and changes nothing else', async () => {
        await expectSound(persistDir, {before: state, expected})
      })

      it('carries vectors over to the byte and drops deleted elements', async () => {
        const index = await readStoredIndex(now.folder, 'cosine')
        expect([...index.vectors.keys()].sort()).to.deep.equal(records?.map(({id}) => id).sort())
        expect(index.deleted).to.equal(0)
        const changed = new Set(
          [...state.log.values()].filter(({topic}) => topic === old.topic).map(({id}) => id),
        )
        const unchanged = [...index.vectors].filter(([id]) => !changed.has(id) && oldIndex.vectors.has(id))
        for (const [id, stored] of unchanged) expect(stored, id).to.deep.equal(oldIndex.vectors.get(id))
        for (const {embedding_b64, id} of records ?? []) {
          const stored = index.vectors.get(id)
          const found = stored && embeddingOf(stored)
          expect(deviation(found, decodeEmbedding(embedding_b64)), id).to.be.below(1e-6)
        }
      })

      it('gives out the labels 1 to n, so that the next one is free', async () => {
        const {header, metadata} = await readStoredIndex(now.folder, 'cosine')
        const labels = [...metadata.idToLabel.values()].sort((a, b) => a - b)
        expect(labels).to.deep.equal(labels.map((_, i) => i + 1))
        expect(metadata).to.include({repeatedIds: 0, totalElementsAdded: labels.length, trailingBytes: 0})
        expect(metadata.labelToId).to.deep.equal({entries: labels.length, matching: labels.length})
        expect(header).to.include({M: 8, curElementCount: labels.length, efConstruction: 80})
      })

      it('applies the pending log once and says how far it is where this engine looks', async () => {
        const rows = [...state.log].filter(([, {topic}]) => topic === old.topic)
        const applied = state.collections.get(old.id)?.applied ?? 0
        const last = rows.at(-1)?.[0]
        expect(result.appliedRows).to.equal(rows.filter(([seqId]) => seqId > applied).length)
        const row = await withDatabase(persistDir, (db) =>
          db.get<{kind: string; value: string}>(
            'SELECT typeof(seq_id) AS kind, hex(seq_id) AS value FROM max_seq_id WHERE segment_id = ?',
            [now.segmentId],
          ),
        )
        const {metadata} = await readStoredIndex(now.folder, 'cosine')
        if (RUST.includes(name)) {
          expect(row?.kind).to.equal('integer')
          expect(now.vectorSegment?.maxSeqId).to.equal(last)
          expect(metadata).to.include({dimensionality: null, form: 'dict', maxSeqId: null})
        } else {
          const inTable = {kind: 'blob', value: last?.toString(16).toUpperCase().padStart(16, '0')}
          expect(row).to.deep.equal(IN_PICKLE.includes(name) ? undefined : inTable)
          expect(metadata).to.include({dimensionality: 8, form: 'PersistentData', maxSeqId: last})
        }
      })

      it('names the new segment wherever the old one was named', async () => {
        expect(now.segmentId).not.to.equal(old.segmentId)
        expect(await rowsThatMention(persistDir, now.segmentId)).to.deep.equal(tablesBefore)
        expect(await rowsThatMention(persistDir, old.segmentId)).to.deep.equal([])
        expect(existsSync(old.folder)).to.equal(false)
      })

      it('keeps the old folder as it was, under the name of a backup', () => {
        expect(basename(result.backup ?? '')).to.match(new RegExp(`^${old.segmentId}_backup_\\d{14}$`))
        expect(folderFingerprint(result.backup ?? '')).to.equal(state.collections.get(old.id)?.fingerprint)
        expect(result.after).to.include({fragmentationLevel: 0, numberOfElements: records?.length})
      })
    })
  }

  describe('with changed parameters', () => {
    const WANTED: HnswParameters = {
      batchSize: 30,
      constructionEf: 90,
      m: 12,
      numThreads: 3,
      resizeFactor: 1.5,
      searchEf: 70,
      space: 'l2',
      syncThreshold: 60,
    }
    const FLAGS = [
      ['--batch-size', '30'],
      ['--construction-ef', '90'],
      ['--m', '12'],
      ['--num-threads', '3'],
      ['--resize-factor', '1.5'],
      ['--search-ef', '70'],
      ['--space', 'l2'],
      ['--sync-threshold', '60'],
    ].flat()

    // 0.4.24 and 0.5.23 keep them where 0.5.5 and 0.6.3 do.
    for (const name of FIXTURES.filter((fixture) => !['chroma-0.4.24', 'chroma-0.5.23'].includes(fixture))) {
      it(`${name}: writes them where the engine reads them, and cosine -> l2 -> cosine loses nothing`, async () => {
        const {expected, persistDir} = unpackFixture(name)
        const records =
          expected.collections.find(({metadata}) => metadata?.owner === 'fixtures')?.records ?? []
        const old = await locate(persistDir, 'churned')
        const {vectors: oldVectors} = await readStoredIndex(old.folder, 'cosine')
        const {after, changes} = await rebuildOf(persistDir, {backup: false, changes: WANTED})
        expect(Object.fromEntries(changes.map((change) => [change.parameter, change.new]))).to.deep.equal(
          WANTED,
        )
        expect(after).to.include({
          batchSize: 30,
          efConstruction: 90,
          efSearch: 70,
          m: 12,
          numberOfThreads: 3,
          resizeFactor: 1.5,
          space: 'l2',
          syncThreshold: 60,
        })
        const l2 = await readStoredIndex((await locate(persistDir, 'churned')).folder, 'l2')
        expect(l2.header).to.include({M: 12, efConstruction: 90})
        for (const {embedding_b64, id} of records) {
          expect(deviation(l2.vectors.get(id)?.vector, decodeEmbedding(embedding_b64)), id).to.be.below(1e-6)
        }

        await rebuildOf(persistDir, {backup: false, changes: {space: 'cosine'}})
        const {vectors} = await readStoredIndex((await locate(persistDir, 'churned')).folder, 'cosine')
        expect([...vectors.keys()].sort()).to.deep.equal(records.map(({id}) => id).sort())
        for (const [id, {norm, vector}] of vectors) {
          expect(Math.hypot(...vector), id).to.be.closeTo(1, 1e-6)
          const before = oldVectors.get(id)?.norm
          if (before !== undefined && norm !== undefined && l2.vectors.has(id)) {
            const l2Norm = Math.hypot(...(l2.vectors.get(id)?.vector ?? []))
            expect(norm, id).to.be.closeTo(l2Norm, 1e-6 * l2Norm)
          }
        }
      })
    }

    it('takes every flag', async () => {
      const {args, flags} = HnswRebuild
      const parsed = await Parser.parse(['/nowhere', ...FLAGS], {args, flags})
      expect(parametersOf(parsed.flags)).to.deep.equal(WANTED)
    })

    it('skips values that are set already', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {changes} = await planOf(persistDir, {constructionEf: 80, m: 8, searchEf: 61, space: 'cosine'})
      expect(changes).to.deep.equal([{new: 61, old: 60, parameter: 'searchEf'}])
    })

    const WRONG = [
      ['--batch-size', '2'],
      ['--construction-ef', '0'],
      ['--construction-ef', '2147483648'],
      ['--m', '1'],
      ['--m', '4097'],
      ['--num-threads', '0'],
      ['--resize-factor', '1'],
      ['--resize-factor', '1e6'],
      ['--search-ef', '-5'],
      ['--space', 'hamming'],
      ['--sync-threshold', 'many'],
    ]
    for (const [flag = '', value = ''] of WRONG) {
      it(`does not take ${flag} ${value}`, async () => {
        const {args, flags} = HnswRebuild
        const error: unknown = await Parser.parse(['/nowhere', flag, value], {args, flags}).catch(
          (error_: unknown) => error_,
        )
        expect(error).to.be.instanceOf(CLIError)
        expect((error as Error).message).to.include(value)
      })
    }

    for (const wrong of [
      ['--resize-factor', '1'],
      ['--all', '--fragmentation', '20 %'],
    ]) {
      it(`refuses ${wrong.join(' ')} with exit code 2 before anything happens`, async () => {
        const {persistDir} = unpackFixture('chroma-1.5.9')
        const before = fingerprint(persistDir)
        const choice = wrong[0] === '--all' ? [] : ['-c', 'churned']
        const {code, stderr} = await chops(['hnsw', 'rebuild', persistDir, ...choice, '-y', ...wrong])
        expect(code, stderr).to.equal(2)
        expect(stderr).to.match(/^Error: .*(resize-factor|fragmentation).*\n( {2}\S.*\n)?$/)
        expect(fingerprint(persistDir)).to.deep.equal(before)
      })
    }
  })

  describe('asks before it changes anything', () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const args = ['hnsw', 'rebuild', persistDir, '-c', 'churned', '--m', '12']
    const before = fingerprint(persistDir)

    it('a no changes nothing and says so', async () => {
      const {code, stderr, stdout} = await chops(args, {input: 'n\n'})
      expect(code).to.equal(0)
      expect(stderr).to.match(
        /Are you sure .*churned \(tenant default_tenant, database default_database, id .*\[y\/N\]/,
      )
      expect(stdout).to.match(/│ m +│ 8 +│ 12 +│/)
      expect(stdout).to.include('Cancelled: nothing was changed.')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    for (const mode of [[], ['--json']]) {
      it(`the end of the input is no answer ${mode.join('')}`, async () => {
        const {code, stderr, stdout} = await chops([...args, ...mode])
        expect(code).to.equal(2)
        expect(stderr + stdout).to.include('--yes')
        if (mode.length > 0) expectToMatchSchema('error', JSON.parse(stdout))
        expect(fingerprint(persistDir)).to.deep.equal(before)
      })
    }

    it('--dry-run shows the plan without a question', async () => {
      const {code, json} = await chopsJson<HnswRebuildOutput>([...args, '--dry-run'])
      expect(code).to.equal(0)
      expectToMatchSchema('hnsw-rebuild', json)
      expect(json).to.deep.include({dryRun: true, failed: [], rebuilt: []})
      expect(json.planned[0]?.before).to.include({m: 8, numberOfElements: 200, totalElementsAdded: 300})
      expect(json.planned[0]?.changes).to.deep.equal([{new: 12, old: 8, parameter: 'm'}])
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('a yes on a pipe is an answer', async () => {
      const {code, stdout} = await chops(args, {input: 'y\ny\ny\n'})
      expect(code).to.equal(0)
      expect(stdout)
        .to.include(
          'Rebuilt the index of collection churned (tenant default_tenant, database default_database, id ',
        )
        .and.to.include('200 elements, 20 pending log rows applied.')
        .and.to.match(/The old index lies in \S+_backup_\d{14}\n/)
      expect(
        (await readStoredIndex((await locate(persistDir, 'churned')).folder, 'cosine')).header.M,
      ).to.equal(12)
    })
  })

  describe('chooses the collection', () => {
    it('of the tenant and database that are named, and no other', async () => {
      const {expected, persistDir} = unpackFixture('chroma-0.6.3')
      const state = await stateOf('chroma-0.6.3')
      const [other, acme] = [await locate(persistDir, 'churned'), await locate(persistDir, 'churned', 'acme')]
      const place = ['-c', 'churned', '-d', 'prod', '--tenant', 'acme']
      const {code, json} = await chopsJson<HnswRebuildOutput>([
        'hnsw',
        'rebuild',
        persistDir,
        '-y',
        '--no-backup',
        ...place,
      ])
      expect(code).to.equal(0)
      expectToMatchSchema('hnsw-rebuild', json)
      expect(json.rebuilt[0]).to.include({
        appliedRows: 3,
        backup: null,
        collectionId: acme.id,
        database: 'prod',
        elements: 103,
        engine: null,
        method: 'repair',
        sampleSize: 100,
        status: 'rebuilt',
        tenant: 'acme',
      })
      expect(existsSync(acme.folder)).to.equal(false)
      expect(readdirSync(persistDir).filter((entry) => entry.includes('backup'))).to.deep.equal([])
      expect((await locate(persistDir, 'churned')).segmentId).to.equal(other.segmentId)
      await expectSound(persistDir, {before: state, expected})
    })

    it('refuses a name that several have, and lists them', async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      await withDatabase(persistDir, (db) =>
        db.exec(`INSERT INTO tenants (id) VALUES ('other');
          INSERT INTO databases (id, name, tenant_id) VALUES ('d2', 'prod', 'other');
          UPDATE collections SET name = 'twice' WHERE name = 'churned' AND dimension = 8;
          UPDATE collections SET database_id = 'd2' WHERE name = 'twice' AND database_id NOT IN (SELECT id FROM databases WHERE tenant_id = 'acme')`),
      )
      const before = fingerprint(persistDir)
      const {code, stderr} = await chops(['hnsw', 'rebuild', persistDir, '-y', '-c', 'twice'])
      expect(code).to.equal(2)
      expect(stderr).to.include('acme/prod/twice').and.to.include('other/prod/twice')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  })

  describe('with --all', () => {
    const ALL = ['hnsw', 'rebuild', '--all', '-y']

    it('takes every collection above the threshold, of the database that is named or of all', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      await markDeleted((await locate(persistDir, 'churned', 'acme')).folder, 5)
      const dir = await openPersistDir(persistDir)
      const catalog = await readCatalog(dir)
      const chosen = async (choice: FragmentedChoice) =>
        (await selectFragmented(dir, catalog, choice)).map(({name, tenant}) => `${tenant} ${name}`)
      expect(await chosen({fragmentation: 0})).to.deep.equal(['default_tenant churned', 'acme churned'])
      expect(await chosen({fragmentation: 0.2})).to.deep.equal(['default_tenant churned'])
      expect(await chosen({fragmentation: 0.34})).to.deep.equal([])
      expect(await chosen({fragmentation: 0, tenant: 'acme'})).to.deep.equal(['acme churned'])
      expect(await chosen({database: 'default_database', fragmentation: 0.2})).to.have.length(1)
      await dir.close()
    })

    it('goes on after one that cannot be rebuilt, reports it and exits with 4', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const acme = await locate(persistDir, 'churned', 'acme')
      await markDeleted(acme.folder, 5)
      const {code, json} = await chopsJson<HnswRebuildOutput>([...ALL, persistDir, '--fragmentation', '0'])
      expect(code).to.equal(4)
      expectToMatchSchema('hnsw-rebuild', json)
      expect(json.rebuilt.map(({collectionId}) => collectionId)).to.deep.equal([
        (await locate(persistDir, 'churned')).id,
      ])
      expect(json.failed).to.have.length(1)
      expect(json.failed[0]).to.include({collection: 'churned', collectionId: acme.id})
      expect(json.failed[0]?.message).to.match(/^\S*data_level0\.bin lacks the vectors of 1 ids .*\.$/)
      expect((await locate(persistDir, 'churned', 'acme')).segmentId).to.equal(acme.segmentId)
    })

    it('says when no index is that fragmented', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const before = fingerprint(persistDir)
      const {code, stdout} = await chops([
        'hnsw',
        'rebuild',
        persistDir,
        '--all',
        '-y',
        '--fragmentation',
        '0.5',
      ])
      expect(code).to.equal(0)
      expect(stdout).to.include('nothing to rebuild')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  })

  describe('of a collection', () => {
    it('that never had a vector says so and changes nothing', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const before = fingerprint(persistDir)
      const {code, stdout} = await chops(['hnsw', 'rebuild', persistDir, '-c', 'empty', '-y'])
      expect(code).to.equal(0)
      expect(stdout).to.match(/Nothing to rebuild: collection empty .* has no vectors\./)
      const {json} = await chopsJson<HnswRebuildOutput>(['hnsw', 'rebuild', persistDir, '-c', 'empty', '-y'])
      expectToMatchSchema('hnsw-rebuild', json)
      expect(json.rebuilt[0]).to.include({after: null, status: 'nothing to rebuild'})
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('that never had a vector gets the parameters that were asked for', async () => {
      const changes = {m: 24, space: 'cosine'} as const
      for (const name of FIXTURES) {
        const {persistDir} = unpackFixture(name)
        const {after, status} = await rebuildOf(persistDir, {changes, name: 'empty'})
        expect(status, name).to.equal('parameters changed')
        expect(after, name).to.include({...changes, hasMetadata: false})
        const again = await rebuildOf(persistDir, {changes, name: 'empty'})
        expect(again.status, name).to.equal('nothing to rebuild')
      }
    })

    it('that never had a vector says that only its parameters change', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const command = ['hnsw', 'rebuild', persistDir, '-c', 'empty', '-y']
      const {stdout} = await chops([...command, '--space', 'ip'])
      expect(stdout).to.include('There is no index to rebuild, the collection has no vectors: its first one')
      expect(stdout).to.match(/Changed the parameters of collection empty .*, which has no vectors yet\./)
      const {json} = await chopsJson<HnswRebuildOutput>([...command, '--space', 'cosine'])
      expectToMatchSchema('hnsw-rebuild', json)
      expect(json.rebuilt[0]).to.include({backup: null, method: null, status: 'parameters changed'})
    })

    it('whose vectors are all in the log builds its first index', async () => {
      for (const name of ['chroma-0.4.24', 'chroma-0.6.3', 'chroma-1.5.9'] as const) {
        const {expected, persistDir} = unpackFixture(name)
        const state = await stateOf(name)
        const {appliedRows, elements} = await rebuildOf(persistDir, {name: 'wal_only'})
        expect([appliedRows, elements], name).to.deep.equal([16, 16])
        await expectSound(persistDir, {before: state, expected})
      }
    })

    it('whose records were all deleted gets an index without elements', async () => {
      for (const name of ['chroma-0.5.5', 'chroma-0.6.3', 'chroma-1.5.9'] as const) {
        const {expected, persistDir} = unpackFixture(name)
        const {id, topic} = await locate(persistDir, 'churned')
        const records = expected.collections.find((collection) => collection.id === id)?.records ?? []
        const seqIds = await appendLog(
          persistDir,
          topic,
          records.map((record) => ({id: record.id, operation: 3})),
        )
        const {after, elements} = await rebuildOf(persistDir)
        expect(elements, name).to.equal(0)
        expect(after).to.include({
          fragmentationLevel: 0,
          hasMetadata: true,
          numberOfElements: 0,
          totalElementsAdded: 0,
        })
        expect((await readPersistState(persistDir)).collections.get(id)).to.include({applied: seqIds.at(-1)})

        const vector = Float32Array.from({length: expected.dim}, (_, i) => i + 1)
        await appendLog(persistDir, topic, [{id: 'again', operation: 0, vector}])
        expect((await rebuildOf(persistDir, {backup: false})).elements).to.equal(1)
        const {metadata, vectors} = await readStoredIndex(
          (await locate(persistDir, 'churned')).folder,
          'cosine',
        )
        expect(metadata.totalElementsAdded).to.equal(1)
        const stored = vectors.get('again')
        expect(deviation(stored && embeddingOf(stored), vector)).to.be.below(1e-6)
      }
    })
  })

  describe('of a damaged index', () => {
    it('whose links are damaged warns, names the file, and cures it', async () => {
      const {expected, persistDir} = unpackFixture('chroma-1.5.9')
      const before = await stateOf('chroma-1.5.9')
      DAMAGE.truncated(join((await locate(persistDir, 'churned')).folder, 'link_lists.bin'))
      const args = ['hnsw', 'rebuild', persistDir, '-c', 'churned', '-y', '--no-backup']
      const dry = await chopsJson<HnswRebuildOutput & {warnings: string[]}>([...args, '--dry-run'])
      expectToMatchSchema('hnsw-rebuild', dry.json)
      expect(dry.json.planned[0]?.before).to.equal(null)
      expect(dry.json.planned[0]?.damage).to.include('link_lists.bin')
      expect(dry.json.warnings).to.have.length(1)

      const {code, stderr} = await chops(args)
      expect(code).to.equal(0)
      expect(stderr).to.match(
        /^Warning: \S+link_lists\.bin .*\. A new index is made from its vectors, which can be read\.$/m,
      )
      await expectSound(persistDir, {before, expected})
    })

    it('whose vectors or ids are damaged is refused with exit code 4 in one sentence', async () => {
      for (const file of ['index_metadata.pickle', 'data_level0.bin']) {
        const {persistDir} = unpackFixture('chroma-0.6.3')
        const {folder} = await locate(persistDir, 'churned')
        DAMAGE.truncated(join(folder, file))
        const before = fingerprint(persistDir)
        for (const flag of ['--yes', '--dry-run']) {
          const {code, stderr} = await chops(['hnsw', 'rebuild', persistDir, '-c', 'churned', flag])
          expect(code, stderr).to.equal(4)
          expect(stderr).to.match(new RegExp(`^Error: \\S*${file} [^\\n]*\\.\\n {2}\\S[^\\n]*\\.\\n$`, 'm'))
          expect(stderr).not.to.match(/^\s+at /m)
          expect(fingerprint(persistDir)).to.deep.equal(before)
        }
      }
    })

    it('is reported with --all when its vectors cannot be read, and the others are rebuilt', async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const {folder, id} = await locate(persistDir, 'churned', 'acme')
      DAMAGE.empty(join(folder, 'data_level0.bin'))
      const {code, json} = await chopsJson<HnswRebuildOutput>(['hnsw', 'rebuild', persistDir, '--all', '-y'])
      expect(code).to.equal(4)
      expectToMatchSchema('hnsw-rebuild', json)
      expect(json.failed.map(({collectionId}) => collectionId)).to.deep.equal([id])
      expect(json.failed[0]?.message).to.include('data_level0.bin')
      expect(json.planned.map(({collectionId}) => collectionId)).not.to.include(id)
      expect(json.rebuilt.map(({collection, tenant}) => [tenant, collection])).to.deep.equal([
        ['default_tenant', 'churned'],
      ])
    })
  })

  it('builds with the other library as well', async () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    const state = await stateOf('chroma-1.5.9')
    const {engine, recall} = await withEnvironment({CHOPS_HNSW_ENGINE: 'hnswlib-node'}, () =>
      rebuildOf(persistDir, {method: 'full'}),
    )
    expect({engine, recall}).to.deep.equal({engine: 'hnswlib-node', recall: 1})
    await expectSound(persistDir, {before: state, expected})
  })

  describe('by the method', () => {
    const place = ['-c', 'churned', '-d', 'default_database']
    const run = (persistDir: string, ...flags: string[]) =>
      chopsJson<HnswRebuildOutput>(['hnsw', 'rebuild', persistDir, ...place, '-y', ...flags])

    it('repairs where M and the space stay, says why, and has said so before', async () => {
      const {expected, persistDir} = unpackFixture('chroma-1.5.9')
      const state = await stateOf('chroma-1.5.9')
      const {json} = await run(persistDir, '--search-ef', '70', '--num-threads', '2')
      expectToMatchSchema('hnsw-rebuild', json)
      const [plan, result] = [json.planned[0], json.rebuilt[0]]
      expect(plan).to.include({method: 'repair'})
      expect(result).to.include({engine: null, method: 'repair', reason: plan?.reason, recall: 1})
      expect(plan?.reason).to.match(/^\d+\.\d\d% of the elements are gone, \d+ are new$/)
      await expectSound(persistDir, {before: state, expected})
    })

    it('builds in full where it is asked to, where M or the space change, and for a changed construction ef', async () => {
      for (const [flags, reason] of [
        [['--method', 'full'], 'it was asked for'],
        [['--m', '12'], 'M changes'],
        [['--space', 'ip'], 'the space changes'],
        [['--construction-ef', '200'], 'a changed construction ef shows only in a new graph'],
      ] as const) {
        const {persistDir} = unpackFixture('chroma-0.6.3')
        const {json} = await run(persistDir, ...flags)
        expect(json.rebuilt[0]).to.include({method: 'full', reason})
      }
    })

    it('takes a changed construction ef into a repaired index that was asked for', async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const {json} = await run(persistDir, '--method', 'repair', '--construction-ef', '200')
      expect(json.rebuilt[0]).to.include({method: 'repair'})
      const {header} = await readStoredIndex((await locate(persistDir, 'churned')).folder, 'cosine')
      expect(header).to.include({M: 8, efConstruction: 200})
    })

    it('refuses a repair that would have to change the graph', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const before = fingerprint(persistDir)
      for (const [flags, what] of [
        [['--m', '12'], 'M'],
        [['--space', 'l2'], 'the space'],
      ] as const) {
        const {code, stderr} = await chops([
          'hnsw',
          'rebuild',
          persistDir,
          ...place,
          '-y',
          '--method',
          'repair',
          ...flags,
        ])
        expect(code).to.equal(2)
        expect(stderr).to.include(`A repair keeps the graph, and ${what} changes it.`)
      }

      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('builds in full where the graph is damaged, also when a repair is asked for', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {folder, id} = await locate(persistDir, 'churned')
      DAMAGE.noisy(join(folder, 'link_lists.bin'))
      const {json} = await run(persistDir, '--method', 'repair')
      expect(json.planned[0]).to.include({collectionId: id})
      expect(json.rebuilt[0]).to.include({method: 'full'})
      expect(json.rebuilt[0]?.reason).to.match(/^the old graph is damaged: .*link_lists\.bin/)
      const index = await readStoredIndex((await locate(persistDir, 'churned')).folder, 'cosine')
      expect(index.vectors.size).to.equal(200)
    })

    it('builds in full where a repaired graph would find little, and says so', async () => {
      const {expected, persistDir} = unpackFixture('chroma-1.5.9')
      const {folder} = await locate(persistDir, 'churned')
      const {header} = await readStoredIndex(folder, 'cosine')
      // A ring breaks no rule and reaches everything, but a search on it goes hardly anywhere.
      const file = join(folder, 'data_level0.bin')
      const rows = readFileSync(file)
      for (let id = 0; id < header.curElementCount; id++) {
        const at = id * header.sizeDataPerElement
        rows.writeUInt16LE(1, at)
        rows.writeUInt32LE((id + 1) % header.curElementCount, at + 4)
      }

      writeFileSync(file, rows)
      const before = await readPersistState(persistDir)
      const {json} = await run(persistDir, '--method', 'repair')
      expect(json.planned[0]).to.include({method: 'repair'})
      expect(json.rebuilt[0]).to.include({method: 'full', recall: 1})
      expect(json.rebuilt[0]?.reason).to.match(/^a repaired graph would find 0\.\d+ of the nearest/)
      await expectSound(persistDir, {before, expected})
    })
  })
})
