import {type HnswParameters, hnswParametersOf, readCatalog, selectCollection} from '@chops/core/catalog'
import {withWriteAccess} from '@chops/core/change'
import {openPersistDir} from '@chops/core/persist-dir'
import {expect} from 'chai'

import type {HnswConfigOutput} from '../../plugins/ops-hnsw/src/commands/hnsw/config.js'

import {type ConfigPlan, configure, planConfig} from '../../plugins/ops-hnsw/src/services/configure.js'
import {chops, chopsJson} from '../support/cli.js'
import {FIXTURES, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const WANTED = {searchEf: 70, syncThreshold: 80, resizeFactor: 1.5, batchSize: 40, numThreads: 3}

/** What the command does once it has its answer. */
async function configureOf(
  persistDir: string,
  name: string,
  wanted: Partial<HnswParameters>,
): Promise<ConfigPlan> {
  return withWriteAccess(persistDir, {}, async (dir) => {
    const plan = planConfig(dir, selectCollection(await readCatalog(dir), {name}), wanted)
    await configure(dir, plan)
    return plan
  })
}

async function parametersOf(persistDir: string, name: string): Promise<HnswParameters> {
  const dir = await openPersistDir(persistDir)
  try {
    return hnswParametersOf(dir, selectCollection(await readCatalog(dir), {name}))
  } finally {
    await dir.close()
  }
}

/** All that the database says apart from the log and the records, table by table. */
async function systemTables(persistDir: string): Promise<Record<string, Record<string, unknown>[]>> {
  return withDatabase(persistDir, async (db) => {
    const tables: Record<string, Record<string, unknown>[]> = {}
    for (const table of [
      'collections',
      'collection_metadata',
      'segments',
      'segment_metadata',
      'max_seq_id',
    ]) {
      tables[table] = await db.all(`SELECT * FROM ${table} ORDER BY 1, 2`)
    }

    return tables
  })
}

interface Configuration {
  config_json_str?: null | string
  schema_str?: null | string
}

async function configurationOf(persistDir: string, name: string): Promise<Configuration> {
  const {id} = await locate(persistDir, name)
  const row = await withDatabase(persistDir, (db) =>
    db.get<Configuration>('SELECT * FROM collections WHERE id = ?', [id]),
  )
  return row ?? {}
}

/** The HNSW settings of a configuration or schema, and the text of all the rest. */
function splitHnsw(json: null | string | undefined): {hnsw: object[]; rest: string} {
  const hnsw: object[] = []
  const without = (key: string, value: unknown): unknown => {
    if (key !== 'hnsw') return value
    hnsw.push(value as object)
    return undefined
  }

  return {hnsw, rest: JSON.stringify(JSON.parse(json ?? ''), without)}
}

describe('hnsw config', () => {
  for (const name of FIXTURES) {
    describe(`on ${name}`, () => {
      for (const collection of ['churned', 'defaults']) {
        it(`changes each parameter of ${collection} alone`, async () => {
          const {persistDir} = unpackFixture(name)
          const wanted = await parametersOf(persistDir, collection)
          for (const [parameter, value] of Object.entries(WANTED)) {
            const plan = await configureOf(persistDir, collection, {[parameter]: value})
            expect(plan.changes.map((change) => change.parameter)).to.deep.equal([parameter])
            Object.assign(wanted, {[parameter]: value})
            expect(await parametersOf(persistDir, collection), parameter).to.deep.equal(wanted)
          }
        })
      }

      it('can go back to what it was, and to the defaults', async () => {
        const {persistDir} = unpackFixture(name)
        const today = await parametersOf(persistDir, 'churned')
        await configureOf(persistDir, 'churned', WANTED)
        await configureOf(persistDir, 'churned', today)
        expect(await parametersOf(persistDir, 'churned')).to.deep.equal(today)
        const defaults = await parametersOf(persistDir, 'defaults')
        const {constructionEf, m, space, ...runtime} = defaults
        await configureOf(persistDir, 'churned', runtime)
        expect(await parametersOf(persistDir, 'churned')).to.deep.equal({...today, ...runtime})
        expect([constructionEf, m, space]).to.deep.equal([100, 16, 'l2'])
      })
    })
  }

  it('0.6.3: writes rows of the segment, and keeps the collection’s own in step', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const before = await systemTables(persistDir)
    await configureOf(persistDir, 'churned', {resizeFactor: 1.5, searchEf: 70})
    const after = await systemTables(persistDir)
    const added = (table: string) =>
      (after[table] ?? []).filter(
        (row) => !before[table]?.some((old) => JSON.stringify(old) === JSON.stringify(row)),
      )
    expect(
      added('segment_metadata').map(({float_value, int_value, key}) => [key, int_value, float_value]),
    ).to.deep.equal([
      ['hnsw:resize_factor', null, 1.5],
      ['hnsw:search_ef', 70, null],
    ])
    expect(added('collection_metadata').map(({int_value, key}) => [key, int_value])).to.deep.equal([
      ['hnsw:search_ef', 70],
    ])
    for (const table of ['collections', 'segments', 'max_seq_id']) expect(added(table)).to.deep.equal([])
    expect(after.segment_metadata).to.have.length((before.segment_metadata?.length ?? 0) + 1)
    expect(after.collection_metadata).to.have.length(before.collection_metadata?.length ?? 0)
  })

  it('1.0.16: changes its keys of config_json_str and keeps every other', async () => {
    const {persistDir} = unpackFixture('chroma-1.0.16')
    const {hnsw: oldHnsw, rest: oldRest} = splitHnsw(
      (await configurationOf(persistDir, 'churned')).config_json_str,
    )
    await configureOf(persistDir, 'churned', {searchEf: 70, syncThreshold: 80})
    const {hnsw, rest} = splitHnsw((await configurationOf(persistDir, 'churned')).config_json_str)
    expect(oldHnsw).to.have.length(1)
    expect(hnsw[0]).to.include({...oldHnsw[0], ef_search: 70, sync_threshold: 80})
    expect(rest).to.equal(oldRest).and.to.include('"embedding_function":{"type":"known"')
  })

  it('1.5.9: changes its keys of schema_str wherever the vector index is configured, and keeps every other', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = await configurationOf(persistDir, 'churned')
    const {hnsw: oldHnsw, rest: oldRest} = splitHnsw(before.schema_str)
    await configureOf(persistDir, 'churned', {batchSize: 40, searchEf: 70})
    const after = await configurationOf(persistDir, 'churned')
    const {hnsw, rest} = splitHnsw(after.schema_str)
    expect(oldHnsw).to.have.length(2)
    expect(hnsw).to.deep.equal(oldHnsw.map((old) => ({...old, batch_size: 40, ef_search: 70})))
    expect(rest).to.equal(oldRest).and.to.include('"embedding_function":{"type":"known"')
    expect(after.config_json_str).to.equal(before.config_json_str)
  })

  for (const name of [
    'chroma-0.6.3-then-1.5.9',
    'chroma-0.5.5-then-1.0.16',
    'chroma-0.4.24-then-1.5.9',
  ] as const) {
    it(`${name}: keeps what the older engine left in config_json_str`, async () => {
      const {persistDir} = unpackFixture(name)
      const before = JSON.parse(
        (await configurationOf(persistDir, 'churned')).config_json_str ?? '{}',
      ) as object
      await configureOf(persistDir, 'churned', {searchEf: 70})
      const after = await configurationOf(persistDir, 'churned')
      const {vector_index, ...rest} = JSON.parse(after.config_json_str ?? '{}') as {
        vector_index: {hnsw: object}
      }
      expect(rest).to.deep.equal(before)
      expect(vector_index.hnsw).to.include({
        ef_construction: 80,
        ef_search: 70,
        max_neighbors: 8,
        space: 'cosine',
      })
      expect(after.schema_str ?? null).to.equal(null)
    })
  }

  describe('on the command line', () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const args = ['hnsw', 'config', persistDir, '-c', 'churned']

    const refused: [title: string, flags: string[], says: RegExp][] = [
      ['no parameter', [], /No parameter is given\.\n {2}Give one of --batch-size, .*--sync-threshold\./],
      ['a batch size of 2', ['--batch-size', '2'], /batch-size|greater than or equal to 3/],
      ['a number that is too large to be read exactly', ['--search-ef', '9007199254740993'], /search-ef/],
      ['a number that no engine holds', ['--sync-threshold', '2147483648'], /2147483647/],
      [
        'a growth that no memory holds',
        ['--resize-factor', '1000000'],
        /resize-factor.*above 1 and up to 10/,
      ],
      ['a parameter of construction', ['--m', '12'], /--m/],
    ]
    for (const [title, flags, says] of refused) {
      it(`refuses ${title}`, async () => {
        const {code, stderr} = await chops([...args, '-y', ...flags])
        expect(code, stderr).to.equal(2)
        expect(stderr).to.match(says)
        expect(fingerprint(persistDir)).to.deep.equal(before)
      })
    }

    it('skips values that are set already', async () => {
      const {code, stdout} = await chops([...args, '-y', '--search-ef', '60', '--sync-threshold', '50'])
      expect(code).to.equal(0)
      expect(stdout).to.include('Nothing to change')
      const {json} = await chopsJson<HnswConfigOutput>([...args, '-y', '--search-ef', '60'])
      expectToMatchSchema('hnsw-config', json)
      expect(json).to.deep.include({applied: false, changes: []})
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('shows old and new with --dry-run, takes no for an answer, and wants one', async () => {
      const dry = await chopsJson<HnswConfigOutput>([
        ...args,
        '--dry-run',
        '--search-ef',
        '70',
        '--batch-size',
        '25',
      ])
      expectToMatchSchema('hnsw-config', dry.json)
      expect(dry.json).to.deep.include({
        applied: false,
        changes: [{new: 70, old: 60, parameter: 'searchEf'}],
        dryRun: true,
      })
      const no = await chops([...args, '--search-ef', '70'], {input: 'n\n'})
      expect(no.code).to.equal(0)
      expect(no.stdout)
        .to.match(/│ searchEf +│ 60 +│ 70 +│/)
        .and.to.include('Cancelled: nothing was changed.')
      const end = await chops([...args, '--search-ef', '70'])
      expect(end.code).to.equal(2)
      expect(end.stderr).to.include('--yes')
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('changes them with a yes, and says of which collection', async () => {
      const {persistDir: mine} = unpackFixture('chroma-1.5.9')
      const place = ['hnsw', 'config', mine, '-c', 'churned', '-d', 'prod', '--tenant', 'acme']
      const {code, json} = await chopsJson<HnswConfigOutput>([...place, '--search-ef', '70', '-y'])
      expect(code).to.equal(0)
      expectToMatchSchema('hnsw-config', json)
      expect(json).to.deep.include({applied: true, database: 'prod', tenant: 'acme'})
      const text = await chops([...place, '--search-ef', '71'], {input: 'y\n'})
      expect(text.stdout).to.match(
        /Changed the parameters of collection churned \(tenant acme, database prod, id /,
      )
      expect(await parametersOf(mine, 'churned')).to.include({searchEf: 60})
    })
  })
})
