import {expect} from 'chai'
import {randomUUID} from 'node:crypto'
import {appendFileSync, existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import type {CollectionPullOutput} from '../../plugins/ops-snapshot/src/commands/collection/pull.js'

import {findFtsProblem} from '../../core/src/fts/integrity.js'
import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {type ChromaRecord, RecordReader} from '../../core/src/records/index.js'
import {startChops} from '../support/background.js'
import {chops, chopsJson} from '../support/cli.js'
import {busyAt, FakeChroma, type FakeCollection, type FakeRecord, noFault} from '../support/fake-chroma.js'
import {type FixtureName, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {giveNulDocuments, wordsOfNulDocuments} from '../support/full-text.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {deviation, locate, readStoredIndex} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

interface ErrorOutput {
  error: {code: string; exitCode: number; message: string; next: string}
}

async function recordsOf(persistDir: string, name: string): Promise<Map<string, ChromaRecord>> {
  const collection = await locate(persistDir, name)
  const dir = await openPersistDir(persistDir)
  const reader = await RecordReader.open(dir, collection)
  try {
    const records: ChromaRecord[] = []
    for await (const page of reader.pages()) records.push(...page)
    return new Map(records.map((record) => [record.id, record]))
  } finally {
    reader.close()
    await dir.close()
  }
}

async function expectSameRecords(
  persistDir: string,
  name: string,
  source: Map<string, ChromaRecord>,
): Promise<void> {
  const copies = await recordsOf(persistDir, name)
  expect([...copies.keys()]).to.have.members([...source.keys()])
  for (const [id, {embedding, ...original}] of source) {
    const {embedding: copied, ...copy} = copies.get(id) as ChromaRecord
    expect(copy).to.deep.equal(original)
    expect(deviation(copied, embedding as Float32Array), id).to.be.at.most(1e-6)
  }
}

const stagingFiles = (persistDir: string): string[] =>
  readdirSync(persistDir).filter((name) => name.startsWith('.chops-pull-'))

describe('chops collection pull', () => {
  let server: FakeChroma

  before(async () => {
    server = await new FakeChroma().start()
    const {persistDir} = unpackFixture('chroma-0.6.3')
    for (const name of ['churned', 'empty', 'inner_product'])
      await chops(['collection', 'push', persistDir, '-c', name, '--url', server.url, '--yes'])
  })

  beforeEach(() => {
    server.fault = noFault
  })

  after(() => server.stop())

  const args = (persistDir: string, name: string, ...more: string[]): string[] => [
    'collection',
    'pull',
    persistDir,
    '-c',
    name,
    '--as',
    'copy',
    '--url',
    server.url,
    '--yes',
    ...more,
  ]

  const failing = async (...command: string[]): Promise<ErrorOutput['error']> => {
    const {json} = await chopsJson<ErrorOutput>(command)
    expectToMatchSchema('error', json)
    return json.error
  }

  for (const name of [
    'chroma-0.4.24',
    'chroma-0.5.5',
    'chroma-0.6.3',
    'chroma-1.0.16',
    'chroma-1.5.9',
  ] as FixtureName[]) {
    it(`makes a whole collection in a directory of ${name}`, async () => {
      const {persistDir} = unpackFixture(name)
      const source = await recordsOf(unpackFixture('chroma-0.6.3').persistDir, 'churned')
      const {code, json} = await chopsJson<CollectionPullOutput>(args(persistDir, 'churned'))
      expect(code).to.equal(0)
      expectToMatchSchema('collection-pull', json)
      expect(json.pulled).to.deep.include({fetched: 200, kept: 0, verified: 200})
      await expectSameRecords(persistDir, 'copy', source)
      const {folder, metadata} = await locate(persistDir, 'copy')
      expect(metadata).to.deep.include({'hnsw:M': 8, 'hnsw:space': 'cosine', owner: 'fixtures'})
      const index = await readStoredIndex(folder, 'cosine')
      expect(index.header).to.deep.include({M: 8, efConstruction: 80})
      expect([...index.vectors.keys()]).to.have.members([...source.keys()])
      expect(stagingFiles(persistDir)).to.deep.equal([])
    })
  }

  it('indexes a document up to a NUL character, as engines do', async () => {
    const source = unpackFixture('chroma-0.6.3').persistDir
    await withDatabase(source, (db) => giveNulDocuments(db, 'churned'))
    await chops(['collection', 'push', source, '-c', 'churned', '--as', 'nul', '--url', server.url, '--yes'])
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code} = await chopsJson<CollectionPullOutput>(args(persistDir, 'nul'))
    expect(code).to.equal(0)
    await expectSameRecords(persistDir, 'copy', await recordsOf(source, 'churned'))
    const wanted = await withDatabase(source, wordsOfNulDocuments)
    expect(wanted).to.have.lengthOf.greaterThan(0)
    await withDatabase(persistDir, async (db) => {
      expect(await wordsOfNulDocuments(db)).to.deep.equal(wanted)
      expect(await findFtsProblem(db)).to.equal(undefined)
    })
  })

  it('makes an empty collection of an empty one, in a database that it makes', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code, stdout} = await chops(
      args(persistDir, 'empty', '--to-tenant', 'new', '--to-database', 'place'),
    )
    expect(code).to.equal(0)
    expect(stdout).to.contain('Pulled 0 records, into new/place/copy')
    expect(await locate(persistDir, 'copy', 'new')).to.deep.include({database: 'place', dimension: null})
  })

  it('keeps the settings of an embedding function, integers and floats apart', async () => {
    const config = {dimensions: 512n, model_name: 'text-embedding-3-small', temperature: 1}
    const {body} = server.collections.get('default_tenant/default_database/empty') as FakeCollection
    const configuration = {
      ...(body.configuration as object),
      embedding_function: {config, name: 'openai', type: 'known'},
    }
    server.collections.set('default_tenant/default_database/embedded', {
      body: {...body, configuration},
      dimension: null,
      id: randomUUID(),
      records: new Map(),
    })
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {code} = await chopsJson<CollectionPullOutput>(args(persistDir, 'embedded'))
    expect(code).to.equal(0)
    const stored = await withDatabase(persistDir, (db) =>
      db.get<{json: string}>("SELECT config_json_str AS json FROM collections WHERE name = 'copy'"),
    )
    expect(stored?.json).to.contain('"dimensions":512,').and.contain('"temperature":1.0}')
  })

  it('refuses an embedding that the server cannot say, and changes nothing', async () => {
    const {body} = server.collections.get('default_tenant/default_database/empty') as FakeCollection
    const record = {document: null, embedding: [1, Number.NaN], metadata: null, uri: null}
    server.collections.set('default_tenant/default_database/broken', {
      body,
      dimension: 2,
      id: randomUUID(),
      records: new Map([['nan', record]]),
    })
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const error = await failing(...args(persistDir, 'broken'))
    expect(error).to.include({code: 'damaged', exitCode: 4})
    expect(error.message).to.contain('The embedding of the record "nan"')
    const {json} = await chopsJson<{collections: {name: string}[]}>(['collection', 'list', persistDir])
    expect(json.collections.map(({name}) => name)).not.to.include('copy')
  })

  it('refuses a list in the metadata before all is fetched, where the directory has no place for it', async () => {
    const {persistDir} = unpackFixture('chroma-1.0.16')
    const {body} = server.collections.get('default_tenant/default_database/empty') as FakeCollection
    const plain = {document: null, embedding: [1, 2], metadata: null, uri: null}
    server.collections.set('default_tenant/default_database/lists', {
      body,
      dimension: 2,
      id: randomUUID(),
      records: new Map<string, FakeRecord>([
        ['a', {...plain, metadata: {tags: ['x', 'y']}}],
        ...Array.from({length: 20}, (_, i): [string, FakeRecord] => [`b${i}`, plain]),
      ]),
    })
    const before = fingerprint(persistDir)
    const error = await failing(...args(persistDir, 'lists', '--batch-size', '1', '--parallel', '1'))
    expect(error.exitCode).to.equal(2)
    expect(error.message).to.equal(
      'The metadata "tags" of the record "a" is a list, which the Chroma of this directory does not know.',
    )
    const [staging = '', ...others] = stagingFiles(persistDir)
    expect(others).to.deep.equal([])
    expect(readFileSync(join(persistDir, staging), 'utf8')).not.to.include('b0')
    expect(fingerprint(persistDir).filter((line) => !line.startsWith(staging))).to.deep.equal(before)
  })

  it('changes nothing with --dry-run, nor for a name that is taken or unknown', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const {json} = await chopsJson<CollectionPullOutput>(args(persistDir, 'churned', '--dry-run'))
    expectToMatchSchema('collection-pull', json)
    expect(json).to.deep.include({outcome: 'dry-run', pulled: null})
    const taken = await failing(...args(persistDir, 'churned', '--as', 'defaults'))
    expect(taken).to.include({code: 'usage', exitCode: 2})
    const unknown = await failing(...args(persistDir, 'nobody'))
    expect(unknown).to.include({code: 'not-found', exitCode: 5})
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('refuses an empty place for the copy', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    for (const flag of ['--to-database', '--to-tenant']) {
      const {code, message} = await failing(...args(persistDir, 'churned', flag, ''))
      expect(code).to.equal('usage')
      expect(message).to.contain(`${flag} is empty`)
    }
  })

  it('makes no directory where there is none', async () => {
    const missing = join(temporaryFolder(), 'none')
    const {exitCode, message} = await failing(...args(missing, 'churned'))
    expect(exitCode).to.equal(5)
    expect(message).to.contain(missing)
    expect(existsSync(missing)).to.equal(false)
  })

  it('leaves the database as it was when the server fails, and goes on with --resume', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    let gets = 0
    server.fault = (path) => {
      if (path.endsWith('/get') && gets++ > 2) return {status: 503}
    }

    const slow = ['--retry-for', '0', '--parallel', '1', '--batch-size', '50']
    const error = await failing(...args(persistDir, 'churned', ...slow))
    expect(error).to.include({code: 'in-use', exitCode: 3})
    const files = stagingFiles(persistDir)
    expect(files).to.have.lengthOf(1)
    expect(fingerprint(persistDir).filter((line) => !line.startsWith('.chops-pull-'))).to.deep.equal(before)

    server.fault = noFault
    const {json} = await chopsJson<CollectionPullOutput>(args(persistDir, 'churned', '--resume'))
    expect(json.pulled).to.deep.include({fetched: 100, kept: 100})
    await expectSameRecords(
      persistDir,
      'copy',
      await recordsOf(unpackFixture('chroma-0.6.3').persistDir, 'churned'),
    )
    expect(stagingFiles(persistDir)).to.deep.equal([])
  })

  it('repeats meeting the server, before the question and after', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    server.fault = busyAt('/version', 1, 3)
    const {json} = await chopsJson<CollectionPullOutput>(args(persistDir, 'churned'))
    expect(json.pulled).to.deep.include({fetched: 200, retries: 1})
  })

  it('repeats a page of the ids that fails for a moment', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    server.fault = busyAt('/get', 1)
    const {json} = await chopsJson<CollectionPullOutput>(args(persistDir, 'churned'))
    expect(json.pulled).to.deep.include({fetched: 200, retries: 1})
  })

  it('goes on after a kill in the middle of a line', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    let gets = 0
    server.fault = (path) => (path.endsWith('/get') && gets++ > 2 ? {status: 503} : undefined)
    const {child, ended} = startChops(args(persistDir, 'churned', '--parallel', '1', '--batch-size', '50'))
    while (gets < 5) await sleep(20)
    child.kill('SIGKILL')
    await ended
    const [file = ''] = stagingFiles(persistDir)
    appendFileSync(join(persistDir, file), '{"document":"half a li')
    server.fault = noFault
    const {json} = await chopsJson<CollectionPullOutput>(args(persistDir, 'churned', '--resume'))
    expect(json.pulled).to.deep.include({fetched: 100, kept: 100})
    await expectSameRecords(
      persistDir,
      'copy',
      await recordsOf(unpackFixture('chroma-0.6.3').persistDir, 'churned'),
    )
  })

  it('goes on with texts that hold every kind of line separator', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const source = server.collections.get('default_tenant/default_database/inner_product') as FakeCollection
    const line = 'é\u2028€\u2029\u{1F980}\u0085\r\n\v\f'
    // The first is longer than a chunk of the file, whose chunks cut its characters apart.
    const texts = new Map([...source.records.keys()].map((id, i) => [id, line.repeat(i === 0 ? 10_000 : 1)]))
    const records = new Map(
      [...source.records].map(([id, record]) => [id, {...record, document: texts.get(id) ?? null}]),
    )
    server.collections.set('default_tenant/default_database/separated', {
      ...source,
      id: randomUUID(),
      records,
    })
    let gets = 0
    server.fault = (path) => (path.endsWith('/get') && gets++ > 2 ? {status: 503} : undefined)
    const slow = ['--retry-for', '0', '--parallel', '1', '--batch-size', '20']
    await failing(...args(persistDir, 'separated', ...slow))
    server.fault = noFault
    const {json} = await chopsJson<CollectionPullOutput>(args(persistDir, 'separated', '--resume'))
    expect(json.pulled).to.deep.include({fetched: 60, kept: 40})
    const copies = await recordsOf(persistDir, 'copy')
    expect(new Map([...copies].map(([id, {document}]) => [id, document]))).to.deep.equal(texts)
  })

  it('stops at Ctrl-C with exit code 130 and leaves the database as it was', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    let gets = 0
    server.fault = (path) => (path.endsWith('/get') && gets++ > 1 ? {status: 503} : undefined)
    const {child, ended} = startChops(args(persistDir, 'churned', '--batch-size', '50'))
    while (gets < 3) await sleep(20)
    child.kill('SIGINT')
    const {code} = await ended
    expect(code).to.equal(130)
    expect(fingerprint(persistDir).filter((line) => !line.startsWith('.chops-pull-'))).to.deep.equal(before)
  })
})
