import {expect} from 'chai'
import {availableParallelism} from 'node:os'

import type {HnswInfo} from '../../plugins/ops-hnsw/src/services/hnsw-info.js'

import {chops, chopsJson} from '../support/cli.js'
import {FIXTURES, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {withDatabase} from '../support/sql.js'

/** What the fixtures were made with: every generation keeps it in another place. */
const CHURNED = {batchSize: 25, efConstruction: 80, efSearch: 60, m: 8, space: 'cosine', syncThreshold: 50}

/** The Rust engine of 1.0 does not keep a batch size; its own default counts then. */
const NATIVE_1_0 = {...CHURNED, batchSize: 100}

describe('hnsw info', () => {
  for (const name of FIXTURES) {
    describe(`on ${name}`, () => {
      const {expected, persistDir} = unpackFixture(name)
      const info = async (...args: string[]) => chopsJson<HnswInfo>(['hnsw', 'info', persistDir, ...args])

      it('shows the parameters where this engine keeps them', async () => {
        const {code, json} = await info('-c', 'churned')
        expect(code).to.equal(0)
        expectToMatchSchema('hnsw-info', json)
        expect(json).to.include(name === 'chroma-1.0.16' ? NATIVE_1_0 : CHURNED)
        expect(json).to.include({
          database: 'default_database',
          dimensions: expected.dim,
          tenant: 'default_tenant',
        })
      })

      it('shows the defaults of this engine for a collection without parameters', async () => {
        const {json} = await info('-c', 'defaults')
        const isOldPython = ['chroma-0.4.24', 'chroma-0.5.5', 'chroma-0.5.23'].includes(name)
        expect(json).to.include({
          batchSize: 100,
          efConstruction: 100,
          efSearch: isOldPython ? 10 : 100,
          m: 16,
          numberOfThreads: availableParallelism(),
          resizeFactor: 1.2,
          space: 'l2',
          syncThreshold: 1000,
        })
      })

      it('counts an index that was never persisted as empty', async () => {
        const {code, json} = await info('-c', 'wal_only', '-v')
        expect(code).to.equal(0)
        expect(json).to.include({fragmentationLevel: 0, hasMetadata: false, numberOfElements: 0, space: 'l2'})
      })

      it('walks the graph with --verbose: everything is reachable in what an engine wrote', async () => {
        const {json} = await info('-c', 'inner_product', '--verbose')
        expectToMatchSchema('hnsw-info', json)
        expect(json).to.include({numberOfElements: 100, space: 'ip'})
        expect(json.graph).to.include({live: 100, reachable: 100, unreachable: 0})
        const degrees = json.graph?.degree.histogram ?? []
        expect(degrees.reduce((sum, elements) => sum + elements, 0)).to.equal(100)
        expect(json.graph?.levels.reduce((sum, elements) => sum + elements, 0)).to.equal(100)
      })
    })
  }

  describe('chooses among collections of the same name', () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    const idOf = (tenant: string) =>
      expected.collections.find((collection) => collection.name === 'churned' && collection.tenant === tenant)
        ?.id

    it('takes the one of the default database first', async () => {
      const {json} = await chopsJson<HnswInfo>(['hnsw', 'info', persistDir, '-c', 'churned'])
      expect(json.collectionId).to.equal(idOf('default_tenant'))
    })

    it('takes the one that --tenant and --database name', async () => {
      const place = ['-d', 'prod', '--tenant', 'acme']
      const {json} = await chopsJson<HnswInfo>(['hnsw', 'info', persistDir, '-c', 'churned', ...place])
      expect(json).to.include({collectionId: idOf('acme'), database: 'prod', space: 'l2', tenant: 'acme'})
    })

    it('takes a name that is unique anywhere', async () => {
      await withDatabase(persistDir, (db) =>
        db.run("UPDATE collections SET name = 'unique' WHERE id = ?", [idOf('acme') ?? '']),
      )
      const {json} = await chopsJson<HnswInfo>(['hnsw', 'info', persistDir, '-c', 'unique'])
      expect(json).to.include({collectionId: idOf('acme'), database: 'prod', tenant: 'acme'})
    })

    it('refuses a name that is ambiguous elsewhere, and lists the candidates', async () => {
      await withDatabase(persistDir, async (db) => {
        await db.run("INSERT INTO tenants (id) VALUES ('other')")
        await db.run("INSERT INTO databases (id, name, tenant_id) VALUES ('d2', 'prod', 'other')")
        await db.run("UPDATE collections SET name = 'twice' WHERE id = ?", [idOf('acme') ?? ''])
        await db.run("UPDATE collections SET name = 'twice', database_id = 'd2' WHERE name = 'empty'")
      })
      const {code, stderr, stdout} = await chops(['hnsw', 'info', persistDir, '-c', 'twice'])
      expect(code).to.equal(2)
      expect(stderr)
        .to.include('acme/prod/twice')
        .and.to.include('other/prod/twice')
        .and.to.include('--tenant')
      expect(stdout).not.to.include('Metric')
    })
  })

  it('prints the 18 metrics', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const {stdout} = await chops(['hnsw', 'info', persistDir, '-c', 'churned'])
    const metrics =
      'Space,Dimensions,EF Construction,EF Search,M,Number of threads,Resize factor,Batch size,Sync threshold,Segment ID,Path,' +
      'Has metadata,Number of elements,Max elements,Total elements added,Collection ID,Index size,Fragmentation level'
    for (const metric of metrics.split(',')) expect(stdout).to.match(new RegExp(`│ ${metric} +│ \\S`))
  })
})
