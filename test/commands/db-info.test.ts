import {openPersistDir} from '@chops/core/persist-dir'
import {expect} from 'chai'
import {readdirSync, renameSync, symlinkSync, truncateSync} from 'node:fs'
import {join} from 'node:path'

import type {DbInfoOutput} from '../../plugins/ops-db/src/commands/db/info.js'

import {type DatabaseInfo, describeDatabase} from '../../plugins/ops-db/src/services/database-info.js'
import {chops, chopsJson} from '../support/cli.js'
import {FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {locate} from '../support/segments.js'
import {fingerprint} from '../support/untouched.js'

describe('db info', () => {
  for (const name of FIXTURES) {
    describe(`on ${name}`, () => {
      const {expected, persistDir} = unpackFixture(name)
      let info: DatabaseInfo

      before(async () => {
        const dir = await openPersistDir(persistDir)
        info = (await describeDatabase(dir)).info
        await dir.close()
      })

      it('lists every collection of every tenant and database with the count its engine gives', () => {
        const counts = (
          collections: {count: number; database: string; id: string; name: string; tenant: string}[],
        ) => collections.map((c) => `${c.tenant}/${c.database}/${c.name} ${c.id} ${c.count}`).sort()
        const found = info.collections.map((collection) => ({...collection, count: collection.records}))
        expect(counts(found)).to.deep.equal(counts(expected.collections))
        expect(info.numberOfCollections).to.equal(expected.collections.length)
      })

      it('shows the metadata the user gave', () => {
        for (const wanted of expected.collections) {
          const found = info.collections.find((collection) => collection.id === wanted.id)
          expect(found?.metadata, wanted.name).to.deep.equal(wanted.metadata)
        }
      })

      it('accounts for every vector: those in the index and those in the log make up the records', () => {
        for (const collection of info.collections) {
          const index = collection.hnswSegment
          expect(index?.hnswOrphanLabels, collection.name).to.equal(0)
          expect(index?.hnswRawTotalActiveLabels, collection.name).to.equal(index?.hnswMetadataTotalLabels)
          if (index?.walGap === 0)
            expect(index.hnswMetadataTotalLabels, collection.name).to.equal(collection.records)
        }
      })

      it('finds exactly the folders that no segment owns', () => {
        const owned = new Set(info.collections.map((collection) => collection.hnswSegment?.segmentId))
        const folders = readdirSync(persistDir, {withFileTypes: true}).filter((entry) => entry.isDirectory())
        const orphans = folders.map((entry) => entry.name).filter((folder) => !owned.has(folder))
        expect(info.orphanHnswDirectories.map((orphan) => orphan.id)).to.deep.equal(orphans.sort())
      })

      it('prints one JSON document that fits its schema, and changes nothing', async () => {
        const before = fingerprint(persistDir)
        const {code, json} = await chopsJson<DatabaseInfo>(['db', 'info', persistDir])
        expect(code).to.equal(0)
        expectToMatchSchema('db-info', json)
        expect(json.collections).to.deep.equal(info.collections)
        expect(fingerprint(persistDir)).to.deep.equal(before)
      })
    })
  }

  describe('fragmentation', () => {
    it('is exact: a third of the churned collection was deleted before the last sync', async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const dir = await openPersistDir(persistDir)
      const {info} = await describeDatabase(dir)
      await dir.close()
      const churned = info.collections.find(
        (collection) => collection.hnswSegment?.hnswRawAllocatedLabels === 300,
      )
      expect(churned?.hnswSegment?.fragmentationLevel).to.be.closeTo(100 / 3, 1e-9)
    })
  })

  describe('with an index that cannot be read', () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    const others = expected.collections.filter(({name}) => name !== 'inner_product')
    let id: string

    before(async () => {
      const {folder, id: found} = await locate(persistDir, 'inner_product')
      id = found
      truncateSync(join(folder, 'index_metadata.pickle'))
    })

    it('describes the other collections, names that one and exits with 4', async () => {
      const args = ['db', 'info', persistDir]
      const {code, json} = await chopsJson<DbInfoOutput>(args)
      expect(code).to.equal(4)
      expectToMatchSchema('db-info', json)
      expect(json.failed.map(({collection, collectionId}) => [collection, collectionId])).to.deep.equal([
        ['inner_product', id],
      ])
      expect(json.failed[0]?.message).to.include('index_metadata.pickle')
      expect(json.collections.map(({id}) => id)).to.have.members(others.map(({id}) => id))
      expect(json.numberOfCollections).to.equal(expected.collections.length)
      const text = await chops(args)
      expect(text.code).to.equal(4)
      expect(text.stderr).to.match(/^Error: .*index_metadata\.pickle/)
      expect(text.stdout).to.include("'defaults' Collection Data").and.not.to.include('inner_product')
    })

    it('keeps its path and name to itself in privacy mode', async () => {
      for (const output of [[], ['--json']]) {
        const {stderr, stdout} = await chops(['db', 'info', persistDir, '--privacy-mode', ...output])
        expect(stdout + stderr)
          .to.include('index_metadata.pickle')
          .and.not.to.include(persistDir)
          .and.not.to.include('inner_product')
      }
    })

    it('fails when there is no other, and does not when that one is skipped', async () => {
      const skipped = [...new Set(others.map(({name}) => name))].join(',')
      const {code, json} = await chopsJson<{error: {code: string}}>(['db', 'info', persistDir, '-s', skipped])
      expect(code).to.equal(4)
      expect(json.error.code).to.equal('damaged')
      expect((await chops(['db', 'info', persistDir, '-s', 'inner_product'])).code).to.equal(0)
    })
  })

  describe('in text', () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')

    it('starts with the generation and has every field of the contract', async () => {
      const {stderr, stdout} = await chops(['db', 'info', persistDir])
      expect(stderr).to.equal('')
      expect(stdout.split('\n')[0]).to.equal(
        'ChromaDB version: 1.5 (schema sysdb 10, metadb 6, embeddings_queue 2)',
      )
      const fields = [
        'Chroma Version,Number of Collection,Persist Directory,Persist Directory Size,SystemDB size,Orphan HNSW Directories',
        'ID,Name,Metadata,Dimension,Tenant,Database,Records,WAL Entries',
        'Segment ID,Type,Scope,SysDB Max Seq ID',
        'Path,HNSW Dir Size,HNSW Metadata Max Seq ID,HNSW Metadata Total Labels,WAL Gap',
        'HNSW Raw Total Active Labels,HNSW Raw Allocated Labels,HNSW Orphan Labels,Fragmentation Level',
      ].flatMap((line) => line.split(','))
      for (const field of fields) expect(stdout).to.match(new RegExp(`│ ${field} +│`))
    })

    it('leaves out skipped collections, given as a comma list or repeated', async () => {
      const {stdout} = await chops(['db', 'info', persistDir, '-s', 'churned,empty', '-s', 'defaults'])
      expect(stdout).to.include("'wal_only' Collection Data")
      expect(stdout).not.to.match(/'(churned|empty|defaults)' Collection Data/)
    })

    it('says so when there is no collection of a name to skip', async () => {
      const args = ['db', 'info', persistDir, '-s', 'chruned,empty']
      const {code, stderr} = await chops(args)
      expect(code).to.equal(0)
      expect(stderr).to.equal('Warning: There is no collection "chruned" to skip.\n')
      expect((await chops([...args, '--privacy-mode'])).stderr).not.to.include('chruned')
    })

    for (const output of [[], ['--json']]) {
      it(`shows no path, name or metadata in privacy mode ${output.join('')}`, async () => {
        const {stdout} = await chops(['db', 'info', persistDir, '--privacy-mode', ...output])
        const names = expected.collections.flatMap(({database, name, tenant}) => [name, database, tenant])
        // "empty" and "defaults" are words of their own; the others would give a collection away.
        for (const secret of [persistDir, 'hnsw:', 'fixtures', ...names.filter((name) => name !== 'empty')]) {
          expect(stdout).not.to.include(secret)
        }

        for (const {id} of expected.collections) expect(stdout).to.include(id)
      })
    }
  })

  it('gives the sizes of what symbolic links to the directory and to an index lead to', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const {json: direct} = await chopsJson<DatabaseInfo>(['db', 'info', persistDir])
    const elsewhere = temporaryFolder()
    symlinkSync(persistDir, join(elsewhere, 'link'))
    const {json: linked} = await chopsJson<DatabaseInfo>(['db', 'info', join(elsewhere, 'link')])
    expect(linked.persistDirectorySize).to.equal(direct.persistDirectorySize)
    expect(linked.persistDirectoryAllocated).to.equal(direct.persistDirectoryAllocated)

    const index = direct.collections.map(({hnswSegment}) => hnswSegment).find((one) => one?.hnswDirSize)
    const folder = join(persistDir, index?.segmentId ?? '')
    renameSync(folder, join(elsewhere, 'index'))
    symlinkSync(join(elsewhere, 'index'), folder)
    const {json: moved} = await chopsJson<DatabaseInfo>(['db', 'info', persistDir])
    const found = moved.collections.map(({hnswSegment}) => hnswSegment)
    expect(found.find((one) => one?.segmentId === index?.segmentId)).to.deep.equal(index)
  })
})
