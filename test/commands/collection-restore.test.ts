import {expect} from 'chai'
import {existsSync, readdirSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {readCatalog} from '../../core/src/catalog/catalog.js'
import {findFtsProblem} from '../../core/src/fts/integrity.js'
import {readLogEnd} from '../../core/src/log/log-rows.js'
import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import type {CollectionList} from '../../plugins/ops-snapshot/src/services/list-collections.js'
import type {CollectionRestoreOutput} from '../../plugins/ops-snapshot/src/commands/collection/restore.js'

import {openSnapshot} from '../../plugins/ops-snapshot/src/services/format/open.js'
import {roomFor} from '../../plugins/ops-snapshot/src/services/restore/restore-into.js'
import {chops, chopsJson} from '../support/cli.js'
import {DAMAGE} from '../support/damage.js'
import {type FixtureName, FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {
  giveNulDocuments,
  indexNewestWhole,
  wordsOfNothing,
  wordsOfNulDocuments,
} from '../support/full-text.js'
import {type Place, readRecords} from '../support/records.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {appendLog, locate} from '../support/segments.js'
import {pythonSnapshot, takeSnapshot} from '../support/snapshots.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

async function restore(
  persistDir: string,
  file: string,
  ...more: string[]
): Promise<CollectionRestoreOutput> {
  const {code, json} = await chopsJson<CollectionRestoreOutput>([
    'collection',
    'restore',
    persistDir,
    '-i',
    file,
    '-y',
    ...more,
  ])
  expect(code, JSON.stringify(json)).to.equal(0)
  expectToMatchSchema('collection-restore', json)
  return json
}

async function expectSame(
  [fromDir, from]: [persistDir: string, place: Place],
  [toDir, to]: [persistDir: string, place: Place],
): Promise<void> {
  const before = await readRecords(fromDir, from)
  const after = await readRecords(toDir, to)
  expect([...after.values()]).to.deep.equal([...before.values()])
}

/** What would make an engine ignore its next writes: segments that stand beyond the end of the log. */
async function segmentsBeyondLog(persistDir: string): Promise<string[]> {
  const dir = await openPersistDir(persistDir)
  try {
    const end = await readLogEnd(dir)
    const {segments} = await readCatalog(dir)
    return segments.filter(({maxSeqId = 0}) => maxSeqId > end).map(({id}) => id)
  } finally {
    await dir.close()
  }
}

const CHURNED = {database: 'default_database', name: 'churned', tenant: 'default_tenant'}

describe('collection restore', () => {
  for (const name of FIXTURES) {
    it(`makes collections of ${name} again, beside the originals and in a new directory`, async () => {
      const {persistDir} = unpackFixture(name)
      const created = join(temporaryFolder(), 'new')
      for (const place of [CHURNED, {...CHURNED, name: 'wal_only'}, {...CHURNED, name: 'empty'}]) {
        const file = await takeSnapshot(persistDir, place)
        const beside = await restore(persistDir, file, '--as', `${place.name}_copy`)
        expect(beside.collectionId).not.to.equal((await locate(persistDir, place.name)).id)
        await expectSame([persistDir, place], [persistDir, {...place, name: `${place.name}_copy`}])
        const anew = await restore(created, file)
        expect(anew.collectionId).to.equal((await locate(persistDir, place.name)).id)
        await expectSame([persistDir, place], [created, place])
      }

      for (const dir of [persistDir, created]) expect(await segmentsBeyondLog(dir)).to.deep.equal([])
      expect(readdirSync(join(created, '..'))).to.deep.equal(['new'])
    })
  }

  const CROSSINGS: [FixtureName, FixtureName][] = [
    ['chroma-0.4.24', 'chroma-1.5.9'],
    ['chroma-0.6.3', 'chroma-1.0.16'],
    ['chroma-0.6.3-then-1.5.9', 'chroma-1.5.9'],
    ['chroma-1.0.16', 'chroma-1.5.9'],
    ['chroma-1.0.16', 'chroma-0.6.3'],
    ['chroma-0.6.3', 'chroma-0.4.24'],
  ]
  for (const [source, target] of CROSSINGS) {
    it(`brings a collection of ${source} into ${target}, with the parameters of its index`, async () => {
      const from = unpackFixture(source).persistDir
      const to = unpackFixture(target).persistDir
      await restore(to, await takeSnapshot(from, CHURNED), '--as', 'moved')
      await expectSame([from, CHURNED], [to, {...CHURNED, name: 'moved'}])
      const {json} = await chopsJson<object>(['hnsw', 'info', to, '-c', 'moved'])
      expect(json).to.include({efConstruction: 80, efSearch: 60, m: 8, space: 'cosine', syncThreshold: 50})
    })
  }

  it('leaves out of the log what only a Python engine reads, where the records have it already', async () => {
    const from = unpackFixture('chroma-0.6.3').persistDir
    const {metadataSegment, topic} = await locate(from, 'churned')
    const applied = metadataSegment?.maxSeqId ?? 0
    const {changes} = await withDatabase(from, (db) =>
      db.run(`UPDATE embeddings_queue SET metadata = '{"n": NaN}' WHERE topic = ? AND seq_id <= ?`, [
        topic,
        applied,
      ]),
    )
    const file = await takeSnapshot(from, CHURNED)
    for (const [target, left] of [
      ['chroma-1.5.9', 0],
      ['chroma-0.6.3', changes],
    ] as const) {
      const to = unpackFixture(target).persistDir
      await restore(to, file, '--as', 'moved')
      const {topic: moved} = await locate(to, 'moved')
      const [row] = await withDatabase(to, (db) =>
        db.all<{count: number}>(
          'SELECT COUNT(*) AS count FROM embeddings_queue WHERE topic = ? AND NOT json_valid(metadata)',
          [moved],
        ),
      )
      expect(row?.count, target).to.equal(left)
      await expectSame([from, CHURNED], [to, {...CHURNED, name: 'moved'}])
    }
  })

  it('refuses lists in the metadata where the older Chroma has no place for them', async () => {
    const from = unpackFixture('chroma-1.5.9').persistDir
    const to = unpackFixture('chroma-1.0.16').persistDir
    const file = await takeSnapshot(from, CHURNED)
    const before = fingerprint(to)
    const {code, stderr} = await chops(['collection', 'restore', to, '-i', file, '--as', 'moved', '-y'])
    expect(code).to.equal(2)
    expect(stderr).to.include('lists in its metadata')
    expect(fingerprint(to)).to.deep.equal(before)
  })

  it('brings what has no lists into an older Chroma, its schema as the configuration of that time', async () => {
    const from = unpackFixture('chroma-1.5.9').persistDir
    const to = unpackFixture('chroma-1.0.16').persistDir
    const place = {...CHURNED, name: 'inner_product'}
    await restore(to, await takeSnapshot(from, place), '--as', 'moved')
    await expectSame([from, place], [to, {...place, name: 'moved'}])
    const {json} = await chopsJson<object>(['hnsw', 'info', to, '-c', 'moved'])
    expect(json).to.include({m: 16, space: 'ip', syncThreshold: 50})
  })

  for (const version of ['0.6.3', '1.0.16'] as const) {
    it(`reads a snapshot that the Python tool took from ${version}`, async () => {
      const {persistDir} = unpackFixture(`chroma-${version}`)
      const file = pythonSnapshot(version)
      const created = join(temporaryFolder(), 'new')
      await restore(created, file)
      await expectSame([persistDir, CHURNED], [created, CHURNED])
      await restore(persistDir, file, '--as', 'copy')
      await expectSame([persistDir, CHURNED], [persistDir, {...CHURNED, name: 'copy'}])
    })
  }

  for (const name of ['chroma-0.4.24', 'chroma-0.5.23', 'chroma-0.6.3'] as const) {
    it(`leaves no segment of ${name} at row 0 of the log, which Chroma takes for none`, async () => {
      const {persistDir} = unpackFixture(name)
      const place = {...CHURNED, name: 'inner_product'}
      const {topic} = await locate(persistDir, place.name)
      await withDatabase(persistDir, (db) => db.run('DELETE FROM embeddings_queue WHERE topic = ?', [topic]))
      const made = join(temporaryFolder(), 'made')
      await restore(made, await takeSnapshot(persistDir, place))
      const dir = await openPersistDir(made)
      const {segments} = await readCatalog(dir)
      expect(await readLogEnd(dir)).to.equal(1)
      expect(segments.filter(({maxSeqId}) => maxSeqId === 0)).to.deep.equal([])
      await dir.close()
      await expectSame([persistDir, place], [made, place])
    })
  }

  it('refuses a name that is taken, and changes nothing', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = await takeSnapshot(persistDir, CHURNED)
    const before = fingerprint(persistDir)
    const {code, stderr} = await chops(['collection', 'restore', persistDir, '-i', file, '-y'])
    expect(code).to.equal(2)
    expect(stderr).to.include('There is already a collection default_tenant/default_database/churned')
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('refuses an empty name or place, as of an unset variable in a script', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = await takeSnapshot(persistDir, CHURNED)
    const before = fingerprint(persistDir)
    for (const flag of ['--as', '--database', '--tenant']) {
      const {code, stderr} = await chops(['collection', 'restore', persistDir, '-i', file, '-y', flag, ''])
      expect(code).to.equal(2)
      expect(stderr).to.include(`${flag} is empty`)
    }

    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('takes the place of a damaged collection, keeps its index as a backup, and its id', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const whole = unpackFixture('chroma-0.6.3').persistDir
    const file = await takeSnapshot(persistDir, CHURNED)
    const {folder, id} = await locate(persistDir, 'churned')
    DAMAGE.noisy(join(folder, 'data_level0.bin'))
    await withDatabase(persistDir, (db) =>
      db.run("UPDATE embedding_metadata SET string_value = 'spoiled' WHERE key = 'chroma:document'"),
    )
    const {backup, collectionId, replaces} = await restore(persistDir, file, '--replace')
    expect([collectionId, replaces]).to.deep.equal([id, id])
    expect(existsSync(folder)).to.equal(false)
    expect(backup).to.match(new RegExp(`^${folder}_backup_\\d{14}$`))
    await expectSame([whole, CHURNED], [persistDir, CHURNED])
    expect(await segmentsBeyondLog(persistDir)).to.deep.equal([])
  })

  it('indexes a document up to a NUL character, as engines do, also where it takes the place of one', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const ids = await withDatabase(persistDir, (db) => giveNulDocuments(db, 'churned'))
    const before = await withDatabase(persistDir, wordsOfNulDocuments)
    expect(before).to.have.lengthOf(ids.length).and.greaterThan(0)
    const file = await takeSnapshot(persistDir, CHURNED)
    await restore(persistDir, file, '--replace')
    await withDatabase(persistDir, async (db) => {
      expect(await wordsOfNulDocuments(db)).to.deep.equal(before)
      expect(await findFtsProblem(db)).to.equal(undefined)
      expect(await wordsOfNothing(db)).to.equal(0)
    })
  })

  it('indexes documents whole and removes them whole where a Python engine with a newer SQLite does', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    await withDatabase(persistDir, async (db) => {
      await giveNulDocuments(db, 'churned')
      await indexNewestWhole(db)
    })
    const file = await takeSnapshot(persistDir, CHURNED)
    await restore(persistDir, file, '--replace')
    await withDatabase(persistDir, async (db) => {
      const rows = await wordsOfNulDocuments(db)
      expect(rows.filter(({words}) => words.includes('|ide|'))).to.have.lengthOf(5)
      expect(await findFtsProblem(db)).to.equal(undefined)
      expect(await wordsOfNothing(db)).to.equal(0)
    })
  })

  it('leaves the last row of the log, so that numbers go on', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = await takeSnapshot(persistDir, {...CHURNED, name: 'empty'})
    const {topic} = await locate(persistDir, 'empty')
    const vector = new Float32Array(8).fill(1)
    const [last = 0] = await appendLog(persistDir, topic, [{id: 'late', operation: 0, vector}])
    const {collectionId} = await restore(persistDir, file, '--replace')
    const rows = await withDatabase(persistDir, (db) =>
      db.all<{seq_id: number}>('SELECT seq_id FROM embeddings_queue WHERE topic = ?', [topic]),
    )
    expect(rows).to.deep.equal([{seq_id: last}])
    expect(topic).not.to.include(collectionId)
    expect((await readRecords(persistDir, {...CHURNED, name: 'empty'})).size).to.equal(0)
  })

  it('gives records numbers above what deleted collections left behind', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = await takeSnapshot(persistDir, CHURNED)
    await withDatabase(persistDir, (db) =>
      db.run("INSERT INTO embedding_metadata_array (id, key, string_value) VALUES (90000, 'leaked', 'x')"),
    )
    await restore(persistDir, file, '--as', 'copy')
    await expectSame([persistDir, CHURNED], [persistDir, {...CHURNED, name: 'copy'}])
  })

  it('makes the tenant and the database that it is told', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const place = {database: 'archive', name: 'churned', tenant: 'new-tenant'}
    await restore(
      persistDir,
      await takeSnapshot(persistDir, CHURNED),
      '--tenant',
      place.tenant,
      '-d',
      place.database,
    )
    const {json} = await chopsJson<CollectionList>([
      'collection',
      'list',
      persistDir,
      '--tenant',
      place.tenant,
    ])
    expect(json.collections.map(({database, name}) => [database, name])).to.deep.equal([
      ['archive', 'churned'],
    ])
    await expectSame([persistDir, CHURNED], [persistDir, place])
  })

  it('makes a directory with the schema that the engine makes', async () => {
    for (const name of FIXTURES) {
      const {persistDir} = unpackFixture(name)
      const created = join(temporaryFolder(), 'new')
      await restore(created, await takeSnapshot(persistDir, CHURNED))
      const schema = (dir: string): Promise<{sql: string}[]> =>
        withDatabase(dir, (db) =>
          db.all(
            `SELECT replace(replace(sql, ' ', ''), char(10), '') AS sql FROM sqlite_master WHERE sql IS NOT NULL
             UNION ALL SELECT dir || version || filename || sql || hash FROM migrations`,
          ),
        )
      expect(await schema(created), name).to.have.deep.members(await schema(persistDir))
    }
  })

  it('shows what it would do with --dry-run, and changes nothing', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = await takeSnapshot(persistDir, CHURNED)
    const before = fingerprint(persistDir)
    const {status} = await restore(persistDir, file, '--as', 'copy', '--dry-run')
    expect(status).to.equal('planned')
    const created = join(temporaryFolder(), 'new')
    expect((await restore(created, file, '--dry-run')).newDirectory).to.equal(true)
    expect(existsSync(created)).to.equal(false)
    const answer = await chops(['collection', 'restore', persistDir, '-i', file, '--as', 'copy'], {
      input: 'n\n',
    })
    expect(answer.stdout).to.include('Cancelled: nothing was changed.')
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('asks for room for the index files once, and for rows as often as tables and indexes hold them', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {folder} = await locate(persistDir, 'churned')
    const index = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    for (const compression of ['none', 'zlib']) {
      const file = await takeSnapshot(persistDir, {name: 'churned'}, '--compress', compression)
      const snapshot = await openSnapshot(file)
      const room = await roomFor(snapshot)
      await snapshot.close()
      expect(room).to.be.greaterThan(index)
      if (compression === 'none') expect(room).to.equal(index + 3 * (statSync(file).size - index))
    }
  })

  it('refuses a damaged snapshot, and a folder that is not of Chroma', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = await takeSnapshot(persistDir, CHURNED)
    const other = temporaryFolder()
    writeFileSync(join(other, 'mine'), 'mine')
    expect((await chops(['collection', 'restore', other, '-i', file, '-y'])).code).to.equal(5)
    expect(readdirSync(other)).to.deep.equal(['mine'])
    DAMAGE.truncated(file)
    const before = fingerprint(persistDir)
    expect(
      (await chops(['collection', 'restore', persistDir, '-i', file, '--as', 'copy', '-y'])).code,
    ).to.equal(4)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })
})
