import {openPersistDir} from '@chops/core/persist-dir'
import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout} from 'node:timers/promises'

import {writeOutputFile} from '../../core/src/change/output-file.js'
import {
  exportLog,
  type ExportSelection,
  type WalExport,
} from '../../plugins/ops-wal/src/services/wal-export.js'
import {chops, chopsJson} from '../support/cli.js'
import {FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const COLUMNS = ['seq_id', 'created_at', 'operation', 'topic', 'id', 'vector', 'encoding', 'metadata']

interface Exported {
  chunks: Buffer[]
  rows: Awaited<ReturnType<typeof exportLog>>
}

async function exportTo(
  persistDir: string,
  selection: ExportSelection = {},
  onChunk: () => Promise<void> = async () => {},
): Promise<Exported> {
  const dir = await openPersistDir(persistDir)
  const chunks: Buffer[] = []
  try {
    const rows = await exportLog(dir, selection, async (chunk) => {
      chunks.push(Buffer.from(chunk))
      await onChunk()
    })
    return {chunks, rows}
  } finally {
    await dir.close()
  }
}

function records(jsonl: string): Record<string, unknown>[] {
  if (jsonl === '') return []
  expect(jsonl.endsWith('\n')).to.equal(true)
  return jsonl
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

async function storedRows(persistDir: string, where = '1'): Promise<Record<string, unknown>[]> {
  const rows = await withDatabase(persistDir, (db) =>
    db.all<Record<string, unknown>>(`SELECT * FROM embeddings_queue WHERE ${where} ORDER BY seq_id`),
  )
  return rows.map(({vector, ...row}) => ({
    ...row,
    vector: vector instanceof Uint8Array ? Buffer.from(vector).toString('base64') : null,
  }))
}

/** What another process does, which does not wait for a lock. */
async function emptyLog(persistDir: string): Promise<void> {
  await withDatabase(persistDir, async (db) => {
    await db.exec('PRAGMA busy_timeout = 1')
    await db.run('DELETE FROM embeddings_queue')
  })
}

describe('wal export', () => {
  for (const name of FIXTURES) {
    it(`writes every row of ${name} with every byte, deletes included`, async () => {
      const {persistDir} = unpackFixture(name)
      const {chunks, rows} = await exportTo(persistDir)
      const exported = records(Buffer.concat(chunks).toString('utf8'))
      expect(exported).to.deep.equal(await storedRows(persistDir))
      for (const record of exported) expect(Object.keys(record)).to.deep.equal(COLUMNS)
      expect(exported.some(({vector}) => vector === null)).to.equal(true)
      expect(rows.records).to.equal(exported.length)
      expect(rows.bytes).to.equal(Buffer.concat(chunks).length)
    })
  }

  it('waits until a chunk is taken before it reads on, and writes chunks of a bounded size', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {topic} = await locate(persistDir, 'churned')
    await withDatabase(persistDir, (db) =>
      db.run(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)
         INSERT INTO embeddings_queue (operation, topic, id, vector, encoding)
         SELECT 0, ?, 'id-' || i, randomblob(2048), 'FLOAT32' FROM n`,
        [topic],
      ),
    )
    let waiting = 0
    const {chunks, rows} = await exportTo(persistDir, {}, async () => {
      waiting += 1
      expect(waiting).to.equal(1)
      await setTimeout(1)
      waiting -= 1
    })
    expect(rows.records).to.equal(3596)
    expect(chunks.length).to.be.above(20)
    for (const {length} of chunks) expect(length).to.be.below(300_000)
  })

  it('shows one moment, whatever is written meanwhile', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {chunks, rows} = await exportTo(persistDir, {}, async () => {
      const error = await emptyLog(persistDir).catch((error: unknown) => error)
      expect(error).to.include({kind: 'in-use'})
    })
    expect(chunks).not.to.have.length(0)
    expect(rows.records).to.equal(596)
  })

  it('selects by seq id, both ends included, and by collection in its database', async () => {
    const {persistDir} = unpackFixture('chroma-0.4.24')
    const out = join(temporaryFolder(), 'part.jsonl')
    const part = ['--since', '420', '--until', '423', '-o', out]
    await chops(['wal', 'export', persistDir, ...part])
    expect(records(readFileSync(out, 'utf8')).map(({seq_id}) => seq_id)).to.deep.equal([420, 421, 422, 423])

    const one = ['-c', 'churned', '-d', 'prod', '--tenant', 'acme', '--since', '1190', '-o', out, '-y']
    const {json} = await chopsJson<WalExport>(['wal', 'export', persistDir, ...one])
    expectToMatchSchema('wal-export', json)
    const {id, topic} = await locate(persistDir, 'churned', 'acme')
    expect(json.collection).to.deep.equal({database: 'prod', id, name: 'churned', tenant: 'acme'})
    expect(json).to.include({
      file: out,
      firstSeqId: 1190,
      lastSeqId: 1196,
      records: 7,
      status: 'done',
      until: null,
    })
    const exported = records(readFileSync(out, 'utf8'))
    expect(exported).to.deep.equal(await storedRows(persistDir, `topic = '${topic}' AND seq_id >= 1190`))
    expect(json.bytes).to.equal(readFileSync(out).length)
  })

  it('writes nothing but the lines to stdout, and not a byte into the directory', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const before = fingerprint(persistDir)
    const {code, stderr, stdout} = await chops(['wal', 'export', persistDir])
    expect(code).to.equal(0)
    expect(fingerprint(persistDir)).to.deep.equal(before)
    expect(records(stdout)).to.have.length(599)
    expect(stderr).to.match(/^ChromaDB version: .*\nExported 599 rows\.\n$/)
  })

  it('of an empty log writes an empty file', async () => {
    const {persistDir} = unpackFixture('chroma-1.0.16')
    await emptyLog(persistDir)
    const out = join(temporaryFolder(), 'empty.jsonl')
    const {code, json} = await chopsJson<WalExport>(['wal', 'export', persistDir, '-o', out])
    expect(code).to.equal(0)
    expectToMatchSchema('wal-export', json)
    expect(json).to.include({bytes: 0, firstSeqId: null, lastSeqId: null, records: 0})
    expect(readFileSync(out)).to.have.length(0)
    expect((await chops(['wal', 'export', persistDir])).stdout).to.equal('')
  })

  it('ends quietly when its reader has seen enough', () => {
    const {persistDir} = unpackFixture('chroma-0.4.24')
    const command = 'set -o pipefail; "$0" bin/run.js wal export "$1" | head -n 1'
    const run = spawnSync('bash', ['-c', command, process.execPath, persistDir], {encoding: 'utf8'})
    expect(run.status, run.stderr).to.equal(0)
    expect(run.stderr).to.match(/^ChromaDB version: [^\n]*\n$/)
    expect(records(run.stdout)).to.have.length(1)
  })

  it('says that standard output is full', function () {
    if (!existsSync('/dev/full')) this.skip()
    const {persistDir} = unpackFixture('chroma-0.4.24')
    const command = '"$0" bin/run.js wal export "$1" > /dev/full'
    const run = spawnSync('bash', ['-c', command, process.execPath, persistDir], {encoding: 'utf8'})
    expect(run.status).to.equal(4)
    expect(run.stderr).to.include('Error: standard output cannot be written: no space left')
    expect(run.stderr).not.to.match(/^\s+at /m)
  })

  it('wants a file with --json, whose one document would stand among the lines', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code, json} = await chopsJson<{error: {message: string}}>(['wal', 'export', persistDir])
    expect(code).to.equal(2)
    expectToMatchSchema('error', json)
  })

  describe('to a file', () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')

    it('asks before it overwrites one, and only then', async () => {
      const folder = temporaryFolder()
      const out = join(folder, 'wal.jsonl')
      writeFileSync(out, 'old')
      const no = await chopsJson<WalExport>(['wal', 'export', persistDir, '-o', out], {input: 'n\n'})
      expect(no.code).to.equal(0)
      expectToMatchSchema('wal-export', no.json)
      expect(no.json).to.include({records: 0, status: 'cancelled'})
      const end = await chops(['wal', 'export', persistDir, '-o', out])
      expect(end.code).to.equal(2)
      expect(end.stderr).to.include('--yes')
      expect(readFileSync(out, 'utf8')).to.equal('old')

      expect((await chops(['wal', 'export', persistDir, '-o', out], {input: 'y\n'})).code).to.equal(0)
      expect(records(readFileSync(out, 'utf8'))).to.have.length(596)
      expect(readdirSync(folder)).to.deep.equal(['wal.jsonl'])
    })

    it('leaves the old file as it was when writing fails, and nothing beside it', async () => {
      const folder = temporaryFolder()
      const out = join(folder, 'wal.jsonl')
      writeFileSync(out, 'old')
      const failure = new Error('cut')
      const error = await writeOutputFile(out, async (write) => {
        await write(Buffer.from('half'))
        throw failure
      }).catch((error: unknown) => error)
      expect(error).to.equal(failure)
      expect(readFileSync(out, 'utf8')).to.equal('old')
      expect(readdirSync(folder)).to.deep.equal(['wal.jsonl'])
    })

    it("never takes the place of one of Chroma's own files, or of what is no file", async () => {
      const before = fingerprint(persistDir)
      const {folder} = await locate(persistDir, 'churned')
      const places = ['chroma.sqlite3', 'chroma.sqlite3-journal'].map((name) => join(persistDir, name))
      for (const out of [...places, join(folder, 'header.bin'), '/dev/null', persistDir]) {
        const {code, stderr} = await chops(['wal', 'export', persistDir, '-y', '-o', out])
        expect(code, out).to.equal(2)
        expect(stderr).to.include(out)
      }

      expect(fingerprint(persistDir)).to.deep.equal(before)
    })

    it('may lie in the persist directory under a name of its own', async () => {
      const own = unpackFixture('chroma-0.5.23').persistDir
      expect((await chops(['wal', 'export', own, '-o', join(own, 'wal.jsonl')])).code).to.equal(0)
      expect(records(readFileSync(join(own, 'wal.jsonl'), 'utf8'))).to.have.length(599)
    })
  })
})
