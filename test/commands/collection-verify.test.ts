import {expect} from 'chai'
import {createHash} from 'node:crypto'
import {readFileSync, truncateSync, writeFileSync} from 'node:fs'

import {ChopsError} from '@chops/core/errors'
import {openDatabase} from '../../core/src/sqlite/open.js'
import {type VerifiedSnapshot, verifyFile} from '../../plugins/ops-snapshot/src/services/verify-file.js'
import {chops, chopsJson} from '../support/cli.js'
import {overwrite} from '../support/damage.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {firstVersion, pythonSnapshot, takeSnapshot} from '../support/snapshots.js'

/** Bytes that are tried besides the header and the end of the file; all of them in the full run. */
const SAMPLE = 150
const isFull = process.env.CHOPS_FAULTS === 'full'

/** The error of a verification, or nothing when it finds the file in order. */
async function complaintOf(file: string): Promise<unknown> {
  try {
    await verifyFile(file)
    return undefined
  } catch (error) {
    return error
  }
}

function expectDamaged(error: unknown, what: string): void {
  expect(error, what).to.be.instanceOf(ChopsError)
  expect((error as ChopsError).kind, what).to.equal('damaged')
}

/** Changes a snapshot with SQL, as somebody would who wants to harm, and seals it again. */
async function forge(file: string, ...statements: string[]): Promise<void> {
  const db = await openDatabase(file, {mode: 'write'})
  for (const sql of statements) await db.exec(sql)
  await db.close()
  const content = readFileSync(file).subarray(0, -32)
  writeFileSync(file, Buffer.concat([content, createHash('sha256').update(content).digest()]))
}

describe('collection verify', () => {
  let persistDir: string

  before(() => {
    ;({persistDir} = unpackFixture('chroma-1.5.9'))
  })

  it('says what a snapshot holds when everything is right', async () => {
    const file = await takeSnapshot(persistDir, {name: 'churned'})
    const {code, json} = await chopsJson<VerifiedSnapshot>(['collection', 'verify', file])
    expect(code).to.equal(0)
    expectToMatchSchema('collection-verify', json)
    expect(json).to.include({
      collection: 'churned',
      dimension: 8,
      layout: 'chops',
      records: 200,
      space: 'cosine',
    })
  })

  // The one has no index yet, and the other one whose files lie there as they are.
  const SNAPSHOTS = [
    ['zlib', {name: 'odd-name_1'}],
    ['none', {database: 'prod', name: 'churned', tenant: 'acme'}],
  ] as const
  for (const [compression, place] of SNAPSHOTS) {
    it(`finds any byte of the file that has changed, compressed with ${compression}`, async function () {
      this.timeout(isFull ? 7_200_000 : 600_000)
      const file = await takeSnapshot(persistDir, place, '--compress', compression)
      const whole = readFileSync(file)
      const step = isFull ? 1 : Math.ceil(whole.length / SAMPLE)
      for (let at = 0; at < whole.length; at += at < 110 || at > whole.length - 40 ? 1 : step) {
        overwrite(file, at, Uint8Array.of((whole[at] ?? 0) ^ (1 << (at % 8))))
        expectDamaged(await complaintOf(file), `byte ${at}`)
        overwrite(file, at, whole.subarray(at, at + 1))
      }

      expect(await complaintOf(file)).to.equal(undefined)
    })
  }

  it('finds a snapshot that was cut or grew', async () => {
    const file = await takeSnapshot(persistDir, {name: 'odd-name_1'})
    const whole = readFileSync(file)
    for (const length of [0, 1, 31, 99, 4096, whole.length - 4096, whole.length - 1]) {
      writeFileSync(file, whole)
      truncateSync(file, length)
      expectDamaged(await complaintOf(file), `${length} bytes`)
    }

    writeFileSync(file, Buffer.concat([whole, Buffer.alloc(1)]))
    expectDamaged(await complaintOf(file), 'one byte more')
  })

  const FORGERIES: Record<string, string[]> = {
    'a changed document': [
      "UPDATE embedding_metadata SET string_value = 'lie' WHERE key = 'chroma:document' AND id = 1",
    ],
    'a changed float': [
      'UPDATE embedding_metadata SET float_value = float_value + 1e-12 WHERE float_value IS NOT NULL',
    ],
    'a missing part of an index file': ["DELETE FROM hnsw_segment_data WHERE filename = 'header.bin'"],
    'a configuration that is no text': ["UPDATE collections SET schema_str = CAST('{}' AS BLOB)"],
    'a dimension beyond all numbers': ['UPDATE collections SET dimension = 1e64'],
    'a log position that is no number': ["UPDATE max_seq_id SET seq_id = 'far'"],
    'a name that leads out of the folder': [
      "UPDATE hnsw_segment_files SET filename = '../header.bin' WHERE filename = 'header.bin'",
    ],
    'a segment id that leads out of the directory': [
      "UPDATE segments SET id = '../../etc' WHERE scope = 'VECTOR'",
    ],
    'a table too many': ['CREATE TABLE more (x)'],
    'a trigger': ['CREATE TRIGGER t AFTER INSERT ON segments BEGIN SELECT 1; END'],
    'a view': ['CREATE VIEW v AS SELECT 1'],
    'a wrong size of an index file': ['UPDATE hnsw_segment_files SET size = size + 1'],
    'an index that is no data': [
      "UPDATE hnsw_segment_data SET data = zeroblob(1000000) WHERE filename = 'data_level0.bin'",
    ],
    'an unknown version': ["UPDATE snapshot_info SET value = '3' WHERE key = 'format_version'"],
    'two collections': ['INSERT INTO collections SELECT * FROM collections'],
  }
  for (const [what, statements] of Object.entries(FORGERIES)) {
    it(`refuses ${what}, though the file is sealed`, async () => {
      const file = await takeSnapshot(persistDir, {name: 'churned'})
      await forge(file, ...statements)
      const {code, stderr} = await chops(['collection', 'verify', file])
      expect(code, stderr).to.equal(4)
      expect(stderr)
        .to.match(/^Error: [^\n]+\n {2}[^\n]+\n$/)
        .and.include(file)
    })
  }

  it('reads the first version of the format, and refuses it with any change', async () => {
    const file = firstVersion()
    const {code, json} = await chopsJson<VerifiedSnapshot>(['collection', 'verify', file])
    expect(code).to.equal(0)
    expect(json).to.include({collection: 'churned', layout: 'chops', records: 200})
    await forge(
      file,
      'UPDATE embeddings_queue SET vector = zeroblob(32) WHERE seq_id = (SELECT max(seq_id) FROM embeddings_queue WHERE vector IS NOT NULL)',
    )
    expectDamaged(await complaintOf(file), 'a changed vector')
    const cut = firstVersion()
    truncateSync(cut, 100_000)
    expectDamaged(await complaintOf(cut), 'cut off')
  })

  it('checks what the Python tool wrote as far as it can, and says so', async () => {
    for (const version of ['0.6.3', '1.0.16'] as const) {
      const {code, json} = await chopsJson<VerifiedSnapshot & {warnings: string[]}>([
        'collection',
        'verify',
        pythonSnapshot(version),
      ])
      expect(code).to.equal(0)
      expectToMatchSchema('collection-verify', json)
      expect(json).to.include({collection: 'churned', layout: 'python', records: 200, space: 'cosine'})
      expect(json.warnings.join('\n')).to.include('cannot be told')
    }
  })

  const PYTHON_FORGERIES: Record<string, string[]> = {
    'a damaged index file': [
      "UPDATE hnsw_segment_data SET data = zeroblob(5000) WHERE filename = 'header.bin'",
    ],
    'a file of another checksum': [
      "UPDATE hnsw_segment_data SET sha256 = '00' WHERE filename = 'header.bin'",
    ],
    'a trigger': ['CREATE TRIGGER t AFTER INSERT ON segments BEGIN SELECT 1; END'],
    'records of another segment': [
      "UPDATE embeddings SET segment_id = 'other' WHERE id = (SELECT MAX(id) FROM embeddings)",
    ],
    'an operation that Chroma does not know': ['UPDATE embeddings_queue SET operation = 9'],
  }
  for (const [what, statements] of Object.entries(PYTHON_FORGERIES)) {
    it(`refuses ${what} in a snapshot of the Python tool`, async () => {
      const file = pythonSnapshot('0.6.3')
      const db = await openDatabase(file, {mode: 'write'})
      for (const sql of statements) await db.exec(sql)
      await db.close()
      const {code, stderr} = await chops(['collection', 'verify', file])
      expect(code, stderr).to.equal(4)
    })
  }

  it('tells a file that is not there from one that is no snapshot', async () => {
    expect((await chops(['collection', 'verify', `${temporaryFolder()}/none`])).code).to.equal(5)
    expect((await chops(['collection', 'verify', `${persistDir}/chroma.sqlite3`])).code).to.equal(4)
    expect((await chops(['collection', 'verify', persistDir])).code).to.equal(4)
    expect((await chops(['collection', 'verify', 'package.json'])).code).to.equal(4)
  })
})
