import {expect} from 'chai'
import {existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import type {DbCheckResult} from '../../plugins/ops-db/src/commands/db/check.js'

import {decodeMigrated} from '../../plugins/ops-db/src/services/check/migrated-seq-id.js'
import {whileOpenElsewhere} from '../support/background.js'
import {chops, chopsJson} from '../support/cli.js'
import {noise, overwrite} from '../support/damage.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {appendLog, hasProcessFiles, locate, markDeleted} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

describe('db check', () => {
  it('says that a healthy directory is, with exit code 0', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code, stdout} = await chops(['db', 'check', persistDir])
    expect(code).to.equal(0)
    expect(stdout).to.match(/^ChromaDB version: 1\.5 /)
    expect(stdout).to.match(/│ defaults +│ 537 +│ 0 +│ 537 +│ 0 +│/)
    expect(stdout).to.match(/The directory is healthy \(\d+ notes\)\.\n$/)
  })

  it('prints a document that matches its schema, with exit code 1 for findings', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {folder} = await locate(persistDir, 'churned', 'acme')
    await markDeleted(folder, 5)
    const before = fingerprint(persistDir)
    const {code, json} = await chopsJson<DbCheckResult>(['db', 'check', persistDir])
    expect(code).to.equal(1)
    expectToMatchSchema('db-check', json)
    const [first] = json.findings
    expect(first).to.include({id: 'H13', severity: 'C'})
    expect(first?.collection).to.include({database: 'prod', name: 'churned', tenant: 'acme'})
    const row = json.ledger.find(({tenant}) => tenant === 'acme')
    expect([row?.indexed, row?.lost, row?.lostIds.length]).to.deep.equal([102, 1, 1])
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('lists every lost id with --verbose, and looks at one collection only with --collection', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) =>
      db.exec("DELETE FROM embeddings_queue WHERE seq_id % 20 = 1 AND topic LIKE '%' AND operation = 0"),
    )
    const args = ['db', 'check', persistDir, '-c', 'defaults']
    const few = await chopsJson<DbCheckResult>(args)
    const all = await chopsJson<DbCheckResult>([...args, '-v'])
    expect(few.json.ledger.map(({name}) => name)).to.deep.equal(['defaults'])
    const lost = all.json.ledger[0]?.lost ?? 0
    expect(lost).to.be.greaterThan(5)
    expect(few.json.ledger[0]?.lostIds).to.have.length(5)
    expect(all.json.ledger[0]?.lostIds).to.have.length(lost)
    const {stdout} = await chops([...args, '-v'])
    expect(stdout.match(/^defaults: lost "/gm)).to.have.length(lost)
  })

  it('reports a severity and worse only, for output and exit code', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) => db.exec('DELETE FROM acquire_write'))
    const warnings = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--severity', 'W'])
    expect(warnings.code).to.equal(1)
    expect(warnings.json.findings.map(({id}) => id)).to.deep.equal(['S6'])
    const errors = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--severity', 'E'])
    expect(errors.code).to.equal(0)
    expect(errors.json.findings).to.deep.equal([])
    expect(errors.json.counts.W).to.equal(1)
  })

  it('is 5 for what is no persist directory or no collection, and 2 for a database without a collection', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    expect((await chops(['db', 'check', temporaryFolder()])).code).to.equal(5)
    expect((await chops(['db', 'check', persistDir, '-c', 'nothing'])).code).to.equal(5)
    expect((await chops(['db', 'check', persistDir, '-d', 'prod'])).code).to.equal(2)
  })

  it('reports a database that is none, and a schema older than it knows', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const old = unpackFixture('chroma-0.4.24').persistDir
    truncateSync(join(persistDir, 'chroma.sqlite3'), 50)
    await withDatabase(old, (db) => db.exec("DELETE FROM migrations WHERE dir = 'sysdb' AND version > 3"))
    for (const [folder, id] of [
      [persistDir, 'S1'],
      [old, 'S3'],
    ] as const) {
      const {code, json} = await chopsJson<DbCheckResult>(['db', 'check', folder, '--severity', 'W'])
      expect(code).to.equal(1)
      expectToMatchSchema('db-check', json)
      expect([...new Set(json.findings.map((one) => one.id))]).to.deep.equal([id])
      expect(json.chromaVersion).to.equal('unknown')
    }
  })

  it('reads a private copy when a write was left unfinished, and says so', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const file = join(persistDir, 'chroma.sqlite3')
    await withDatabase(persistDir, async (db) => {
      await db.exec('PRAGMA cache_size = 1; BEGIN; UPDATE embeddings_queue SET metadata = zeroblob(3000)')
      const journal = readFileSync(`${file}-journal`)
      const content = readFileSync(file)
      await db.exec('ROLLBACK')
      writeFileSync(file, content)
      writeFileSync(`${file}-journal`, journal)
    })
    const before = fingerprint(persistDir)
    const {code, json} = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--severity', 'W'])
    expect(code).to.equal(1)
    expect(json.findings.map(({id}) => id)).to.deep.equal(['S7'])
    expect(fingerprint(persistDir)).to.deep.equal(before)
    expect(existsSync(`${file}-journal`)).to.equal(true)
  })

  it('names the process that has the directory open', async function () {
    if (!hasProcessFiles()) return this.skip()
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await whileOpenElsewhere(persistDir, async (pid) => {
      const {code, json} = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--severity', 'W'])
      expect(code).to.equal(1)
      expect(json.findings.map(({id}) => id)).to.deep.equal(['P1'])
      expect(json.findings[0]?.message).to.include(`${pid}`)
    })
  })

  it('reads a database of many records about once, in whatever order its indexes are', async function () {
    if (!hasProcessFiles()) return this.skip()
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {metadataSegment} = await locate(persistDir, 'defaults')
    // Ids and texts in another order than the rows: no page of their indexes is beside the one before.
    const numbers =
      'WITH RECURSIVE n(i) AS (VALUES (1000000) UNION ALL SELECT i + 1 FROM n WHERE i < 1060000)'
    await withDatabase(persistDir, (db) =>
      db.exec(`BEGIN;
        INSERT INTO embeddings (id, segment_id, embedding_id, seq_id)
          ${numbers} SELECT i, '${metadataSegment?.id}', hex(randomblob(16)), 1 FROM n;
        INSERT INTO embedding_metadata (id, key, string_value)
          ${numbers} SELECT i, 'chroma:document', hex(randomblob(60)) FROM n;
        COMMIT`),
    )
    const before = bytesRead()
    const {code} = await chops(['db', 'check', persistDir])
    expect(code).to.equal(1)
    expect(bytesRead() - before).to.be.below(2 * statSync(join(persistDir, 'chroma.sqlite3')).size)
  })

  it('names the folder that somebody put away where an index is missing', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {folder, segmentId} = await locate(persistDir, 'churned')
    const {renameSync} = await import('node:fs')
    renameSync(folder, `${folder}.corrupt-1`)
    const {json} = await chopsJson<DbCheckResult>(['db', 'check', persistDir])
    const missing = json.findings.find(({id}) => id === 'H1')
    expect(missing?.message).to.include(`Move ${segmentId}.corrupt-1 back`)
    expect(json.findings.find(({id}) => id === 'X2')?.message).to.match(/^Keep the folders/)
  })
})

describe('db check --explain', () => {
  it('says what causes an error of Chroma, and what of that is found here', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    rmSync(join((await locate(persistDir, 'churned')).folder, 'link_lists.bin'))
    const text = 'chromadb.errors.InternalError: Error executing plan: Error loading hnsw index'
    const {code, stdout} = await chops(['db', 'check', persistDir, '--explain', text])
    expect(code).to.equal(1)
    expect(stdout)
      .to.match(/^Error loading hnsw index\n {2}\S/m)
      .and.to.include('Here it comes from H3')
    const {json} = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--explain', text])
    expectToMatchSchema('db-check', json)
    expect(json.explanation?.known.map(({found}) => found)).to.deep.equal([['H3']])
  })

  it('says so too when nothing of the kind is found, or the error is not known', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const known = await chops(['db', 'check', persistDir, '--explain', 'database is locked'])
    expect([known.code, known.stdout]).to.deep.equal([0, known.stdout])
    expect(known.stdout).to.include('Nothing of the kind was found in this directory')
    const unknown = await chops(['db', 'check', persistDir, '--explain', 'the moon is full'])
    expect(unknown.code).to.equal(0)
    expect(unknown.stdout).to.include('does not know the error "the moon is full"')
  })
})

/** A row that no engine can apply, metadata of nobody, and a record whose vector is deleted in the index. */
async function spoil(persistDir: string): Promise<void> {
  const {folder, topic} = await locate(persistDir, 'churned', 'acme')
  await markDeleted(folder, 5)
  await appendLog(persistDir, topic, [{id: 'no vector', operation: 0, vector: null}])
  await withDatabase(persistDir, (db) =>
    db.exec("INSERT INTO embedding_metadata (id, key, int_value) VALUES (1000000, 'left', 1)"),
  )
}

describe('db check --fix', () => {
  it('shows what it would repair with --dry-run, and takes no for an answer; neither changes anything', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await spoil(persistDir)
    const before = fingerprint(persistDir)
    const dry = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--fix', '--dry-run'])
    expect(dry.code).to.equal(1)
    expectToMatchSchema('db-check', dry.json)
    expect(dry.json.fix?.status).to.equal('dry-run')
    expect(dry.json.fix?.repairs.map(({kind}) => kind)).to.deep.equal(['rows', 'list'])
    const no = await chops(['db', 'check', persistDir, '--fix'], {input: 'n\n'})
    expect(no.stdout).to.include('Not repaired, see what each finding says: H13.')
    expect(no.stdout).to.include('Cancelled: nothing was changed.')
    expect((await chops(['db', 'check', persistDir, '--fix'])).code).to.equal(2)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('repairs, keeps a copy of the database, and writes what cannot be kept or repaired to files', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await spoil(persistDir)
    const original = readFileSync(join(persistDir, 'chroma.sqlite3'))
    const {code, json} = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--fix', '-y'])
    expect(code).to.equal(1)
    expectToMatchSchema('db-check', json)
    const alarms = json.findings.filter(({severity}) => severity !== 'I').map(({id}) => id)
    expect(alarms).to.deep.equal(['H13', 'X1'])
    expect(json.fix?.status).to.equal('done')
    expect(readFileSync(json.fix?.backup ?? '').equals(original)).to.equal(true)
    const [rows = '', lost = ''] = json.fix?.files ?? []
    expect(JSON.parse(readFileSync(rows, 'utf8'))).to.include({id: 'no vector', operation: '0', vector: null})
    const record = JSON.parse(readFileSync(lost, 'utf8')) as {document: string; id: string; metadata: object}
    expect(record).to.include({collection: 'churned', tenant: 'acme', id: json.ledger.at(-1)?.lostIds[0]})
    expect(record.document).to.be.a('string').that.is.not.empty
    expect(record.metadata).to.have.property('i')
  })

  it('has nothing to do where nothing is wrong, and frees what deleted collections left', async () => {
    const {persistDir} = unpackFixture('chroma-0.5.23')
    const first = await chops(['db', 'check', persistDir, '--fix', '-y'])
    expect([first.code, first.stderr]).to.deep.equal([0, first.stderr])
    const left = await withDatabase(persistDir, (db) =>
      db.all('SELECT 1 FROM embeddings WHERE segment_id NOT IN (SELECT id FROM segments)'),
    )
    expect(left).to.deep.equal([])
    const again = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--fix', '-y'])
    expect([again.code, again.json.fix?.status]).to.deep.equal([0, 'nothing-to-do'])
  })

  it('writes nothing to a database that SQLite finds damaged', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await spoil(persistDir)
    const page = await withDatabase(persistDir, (db) =>
      db.get<{root: number}>("SELECT rootpage AS root FROM sqlite_master WHERE name = 'embeddings_queue'"),
    )
    overwrite(join(persistDir, 'chroma.sqlite3'), ((page?.root ?? 1) - 1) * 4096 + 5, noise(40, 3))
    const before = readFileSync(join(persistDir, 'chroma.sqlite3'))
    const {code, json} = await chopsJson<DbCheckResult>(['db', 'check', persistDir, '--fix', '-y'])
    expect(code).to.equal(1)
    expect(json.findings[0]).to.include({id: 'S1', repairable: 'no'})
    expect(json.fix?.repairs.map(({kind}) => kind)).not.to.include('rows')
    expect(readFileSync(join(persistDir, 'chroma.sqlite3')).equals(before)).to.equal(true)
  })

  it('refuses a directory that another process has open', async function () {
    if (!hasProcessFiles()) return this.skip()
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await spoil(persistDir)
    const before = fingerprint(persistDir)
    await whileOpenElsewhere(persistDir, async () => {
      expect((await chops(['db', 'check', persistDir, '--fix', '-y'])).code).to.equal(3)
    })
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })
})

describe('positions that the migration to Chroma 1.0 made huge', () => {
  it('are decoded to what they were', () => {
    expect(decodeMigrated(1_229_821_589_196_978_484n)).to.equal(481_194)
    expect(decodeMigrated(1_229_822_654_365_841_720n)).to.equal(502_498)
    expect(decodeMigrated(1_229_822_654_349_062_456n)).to.equal(501_418)
    for (const seqId of [1, 9, 10, 99, 111, 1000, 12_345, 11_111_111, 99_999_999]) {
      const hex = Buffer.from(String(seqId)).toString('hex').padStart(16, '1')
      expect(decodeMigrated(BigInt(`0x${hex}`))).to.equal(seqId)
    }
  })

  it('are not taken for such when they are not', () => {
    for (const value of [2n ** 53n, 2n ** 63n - 1n, 0x11_11_11_11_11_11_11_11n, 0x12_11_31_32_33_34_35_36n])
      expect(decodeMigrated(value)).to.equal(undefined)
  })
})

/** What this process and those it waited for have read so far, by the kernel's count. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1])
}
