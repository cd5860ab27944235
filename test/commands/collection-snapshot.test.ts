import {expect} from 'chai'
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'

import type {CollectionSnapshotOutput} from '../../plugins/ops-snapshot/src/commands/collection/snapshot.js'

import {COLLECTION, VECTOR_SEGMENT_ID, writeDatabase} from '../../bench/data/database.js'
import {writeIndexFiles} from '../../bench/data/index-files.js'
import {uuids} from '../../bench/data/random.js'
import {chops, chopsJson} from '../support/cli.js'
import {DAMAGE, overwrite} from '../support/damage.js'
import {FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {locate} from '../support/segments.js'
import {takeSnapshot} from '../support/snapshots.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

describe('collection snapshot', () => {
  for (const name of FIXTURES) {
    it(`writes every collection of ${name} into a folder, and leaves the directory as it is`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const before = fingerprint(persistDir)
      const folder = join(temporaryFolder(), 'snapshots')
      const {code, json} = await chopsJson<CollectionSnapshotOutput>([
        'collection',
        'snapshot',
        persistDir,
        '--all',
        '-o',
        folder,
      ])
      expect(code).to.equal(0)
      expectToMatchSchema('collection-snapshot', json)
      expect(readdirSync(folder)).to.have.members(
        expected.collections.map((place) => `${place.tenant}.${place.database}.${place.name}.sqlite3`),
      )
      expect(fingerprint(persistDir)).to.deep.equal(before)
      const churned = json.snapshots.find(({collection}) => collection === 'churned')
      expect(churned?.counts).to.include({collections: 1, hnswFiles: 5, segments: 2})
      expect(churned?.size).to.equal(readFileSync(churned?.file ?? '').length)
    })
  }

  it('prints the counts that the Python tool prints', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const file = join(temporaryFolder(), 'churned')
    const args = ['collection', 'snapshot', persistDir, '-c', 'churned', '-o', file]
    const {code, stdout} = await chops(args)
    expect(code).to.equal(0)
    const counts: Record<string, number> = {
      'Collection Metadata': 7,
      Collections: 1,
      'Embedding Metadata': 984,
      Embeddings: 200,
      'Embeddings Queue': 21,
      'HNSW Segment Data Files': 5,
      'Max Seq ID': 2,
      'Segment Metadata': 6,
      Segments: 2,
    }
    for (const [label, count] of Object.entries(counts))
      expect(stdout).to.match(new RegExp(`│ ${label} +│ ${count} +│`))
  })

  it('stores the index files uncompressed when it is told to', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const plain = await takeSnapshot(persistDir, {name: 'churned'}, '--compress', 'none')
    const {folder} = await locate(persistDir, 'churned')
    expect(readFileSync(plain).includes(readFileSync(join(folder, 'header.bin')))).to.equal(true)
    expect((await chops(['collection', 'verify', plain])).code).to.equal(0)
  })

  it('writes a large collection in large pages, and what is restored from them is the same', async () => {
    const shape = {dimension: 256, records: 16_000}
    const persistDir = temporaryFolder()
    await writeDatabase(persistDir, shape, uuids(1, shape.records))
    await writeIndexFiles(join(persistDir, VECTOR_SEGMENT_ID), shape, uuids(1, shape.records))
    const snapshot = await takeSnapshot(persistDir, {name: COLLECTION}, '--compress', 'none')
    // SQLite's header has the size of a page at byte 16, and 1 for 65,536 bytes.
    expect(readFileSync(snapshot).readUInt16BE(16)).to.equal(1)
    expect((await chops(['collection', 'verify', snapshot])).code).to.equal(0)
    const target = join(temporaryFolder(), 'restored')
    expect((await chops(['collection', 'restore', target, '-i', snapshot, '--yes'])).code).to.equal(0)
    const {folder} = await locate(target, COLLECTION)
    for (const name of ['data_level0.bin', 'header.bin', 'link_lists.bin']) {
      const before = readFileSync(join(persistDir, VECTOR_SEGMENT_ID, name))
      expect(readFileSync(join(folder, name)).equals(before)).to.equal(true)
    }
  })

  it('asks before it overwrites a file, and leaves it when the answer is no', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = join(temporaryFolder(), 'there')
    writeFileSync(file, 'mine')
    const args = ['collection', 'snapshot', persistDir, '-c', 'churned', '-o', file]
    const {code, stdout} = await chops(args, {input: 'n\n'})
    expect(code).to.equal(0)
    expect(stdout).to.include('Cancelled: nothing was written.')
    expect(readFileSync(file, 'utf8')).to.equal('mine')
    expect((await chops([...args, '-y'])).code).to.equal(0)
    expect((await chops(['collection', 'verify', file])).code).to.equal(0)
  })

  it('works on a directory that nobody may write', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {folder} = await locate(persistDir, 'churned')
    for (const path of [folder, persistDir]) chmodSync(path, 0o555)
    try {
      await takeSnapshot(persistDir, {name: 'churned'})
    } finally {
      for (const path of [folder, persistDir]) chmodSync(path, 0o755)
    }
  })

  for (const file of ['data_level0.bin', 'index_metadata.pickle', 'link_lists.bin']) {
    it(`refuses an index whose ${file} is damaged, and writes nothing`, async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const {folder} = await locate(persistDir, 'churned')
      DAMAGE.noisy(join(folder, file))
      const output = temporaryFolder()
      const args = ['collection', 'snapshot', persistDir, '-c', 'churned', '-o', join(output, 'file')]
      const {code, stderr} = await chops(args)
      expect(code).to.equal(4)
      expect(stderr).to.match(new RegExp(`^Error: .*${file}`, 'm'))
      expect(readdirSync(output)).to.deep.equal([])
    })
  }

  it('refuses a cosine index whose norms were overwritten with zeros, and writes nothing', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const {folder} = await locate(persistDir, 'churned')
    overwrite(join(folder, 'length.bin'), 0, Buffer.alloc(240))
    const output = temporaryFolder()
    const args = ['collection', 'snapshot', persistDir, '-c', 'churned', '-o', join(output, 'file')]
    const {code, stderr} = await chops(args)
    expect(code).to.equal(4)
    expect(stderr).to.include('length.bin has 60 norms of 0 for vectors that are not zero')
    expect(readdirSync(output)).to.deep.equal([])
  })

  it('goes on with the other collections when one is damaged, and says so', async () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    const {folder, id} = await locate(persistDir, 'inner_product')
    DAMAGE.truncated(join(folder, 'data_level0.bin'))
    const {code, json} = await chopsJson<CollectionSnapshotOutput>([
      'collection',
      'snapshot',
      persistDir,
      '--all',
      '-o',
      temporaryFolder(),
    ])
    expect(code).to.equal(4)
    expect(json.failed.map(({collectionId}) => collectionId)).to.deep.equal([id])
    expect(json.snapshots).to.have.length(expected.collections.length - 1)
  })

  it('stays in its folder, whatever a database of somebody else calls a collection', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {id} = await locate(persistDir, 'inner_product')
    const hostile = '../outside/chroma'
    await withDatabase(persistDir, async (db) => {
      await db.run('UPDATE collections SET id = ?, name = ? WHERE id = ?', [hostile, 'n'.repeat(201), id])
      await db.run('UPDATE segments SET collection = ? WHERE collection = ?', [hostile, id])
    })
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'outside'))
    const output = join(folder, 'snapshots')
    const {code, stderr} = await chops(['collection', 'snapshot', persistDir, '--all', '-o', output, '-y'])
    expect(code, stderr).to.equal(0)
    expect(readdirSync(join(folder, 'outside'))).to.deep.equal([])
    expect(readdirSync(output)).to.include('%2E%2E%2Foutside%2Fchroma.sqlite3')
  })

  it('gives every collection a file of its own, whatever dots and cases the names have', async () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, async (db) => {
      await db.run("INSERT INTO tenants (id) VALUES ('.acme')")
      for (const [id, name, tenant] of [
        ['1', 'prod', 'default_tenant'],
        ['2', 'prod.eu', 'default_tenant'],
        ['3', 'prod', '.acme'],
      ] as const)
        await db.run('INSERT INTO databases (id, name, tenant_id) VALUES (?, ?, ?)', [id, name, tenant])
      for (const [collection, database, name] of [
        ['defaults', '1', 'eu.docs'],
        ['inner_product', '2', 'docs'],
        ['empty', '3', 'docs'],
        ['wal_only', '1', 'Cased'],
        ['odd-name_1', '1', 'cased'],
      ] as const)
        await db.run('UPDATE collections SET database_id = ?, name = ? WHERE name = ?', [
          database,
          name,
          collection,
        ])
    })
    const ids = new Map(expected.collections.map(({id, name}) => [name, id]))
    const folder = temporaryFolder()
    const args = ['collection', 'snapshot', persistDir, '--all', '-o', folder]
    const first = await chopsJson<CollectionSnapshotOutput>(args)
    expect(first.code).to.equal(0)
    const names = [
      'acme.prod.churned.sqlite3',
      'default_tenant.default_database.churned.sqlite3',
      'default_tenant.prod.eu.docs.sqlite3',
      'default_tenant.prod%2Eeu.docs.sqlite3',
      '%2Eacme.prod.docs.sqlite3',
      `default_tenant.prod.Cased@${ids.get('wal_only')}.sqlite3`,
      `default_tenant.prod.cased@${ids.get('odd-name_1')}.sqlite3`,
    ]
    expect(readdirSync(folder)).to.have.members(names)
    const filesOf = ({json}: typeof first) =>
      json.snapshots.map(({collectionId, file}) => [collectionId, file])
    const again = await chopsJson<CollectionSnapshotOutput>([...args, '--yes'])
    expect(filesOf(again)).to.deep.equal(filesOf(first))
    expect(readdirSync(folder)).to.have.members(names)
  })

  it('makes the folders that its file is to lie in, as the Python tool does', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = join(temporaryFolder(), 'backups', 'today', 'churned.sqlite3')
    const {code, stderr} = await chops(['collection', 'snapshot', persistDir, '-c', 'churned', '-o', file])
    expect(code, stderr).to.equal(0)
    expect(readdirSync(dirname(file))).to.deep.equal(['churned.sqlite3'])
  })

  it('refuses a place inside of the directory that belongs to Chroma, and makes no folder there', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    for (const file of [join(persistDir, 'chroma.sqlite3'), join(persistDir, 'nowhere', 'file')]) {
      const {code} = await chops(['collection', 'snapshot', persistDir, '-c', 'churned', '-o', file, '-y'])
      expect(code).to.equal(2)
    }

    expect(existsSync(join(persistDir, 'nowhere'))).to.equal(false)
  })

  it('refuses a file as the folder of --all, and leaves it as it is', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, 'mine')
    for (const output of [file, join(file, 'inside')]) {
      const args = ['collection', 'snapshot', persistDir, '--all', '-y', '-o', output]
      const {code, stderr} = await chops(args)
      expect(code, stderr).to.equal(2)
      expect(stderr).to.include(`The folder ${output} `)
    }

    expect(readFileSync(file, 'utf8')).to.equal('mine')
  })
})
