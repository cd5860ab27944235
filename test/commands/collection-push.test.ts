import {expect} from 'chai'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import type {CollectionPushOutput} from '../../plugins/ops-snapshot/src/commands/collection/push.js'

import {parseExactJson} from '../../core/src/records/exact-json.js'
import {chops, chopsJson} from '../support/cli.js'
import {busyAt, FakeChroma, type FakeCollection, type FakeRecord, noFault} from '../support/fake-chroma.js'
import {type Expected, type ExpectedCollection, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {appendLog, decodeEmbedding, deviation, locate, markDeleted} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const SECRET = 'tok-3cr3t-value'

interface ErrorOutput {
  error: {code: string; exitCode: number; message: string; next: string}
}

describe('chops collection push', () => {
  let server: FakeChroma
  let persistDir: string
  let expected: Expected

  beforeEach(async () => {
    server = await new FakeChroma().start()
    ;({persistDir} = unpackFixture('chroma-1.5.9'))
    expected = parseExactJson(readFileSync(join(persistDir, '..', 'expected.json'), 'utf8')) as Expected
  })

  afterEach(() => server.stop())

  const args = (name: string, ...more: string[]): string[] => [
    'collection',
    'push',
    persistDir,
    '-c',
    name,
    '--url',
    server.url,
    '--yes',
    ...more,
  ]

  const answered = (name: string, tenant = 'default_tenant'): ExpectedCollection => {
    const found = expected.collections.find((one) => one.name === name && one.tenant === tenant)
    if (!found) throw new Error(`no collection ${name}`)
    return found
  }

  const received = (key: string): FakeCollection => {
    const found = server.collections.get(key)
    if (!found) throw new Error(`the server has no ${key}, only ${[...server.collections.keys()].join(', ')}`)
    return found
  }

  const expectRecords = (collection: FakeCollection, {records}: ExpectedCollection): void => {
    expect([...collection.records.keys()]).to.have.members(records.map(({id}) => id))
    for (const {document, embedding_b64: embedding, id, metadata} of records) {
      const found = collection.records.get(id)
      expect(found).to.deep.include({document, metadata})
      expect(deviation(Float32Array.from(found?.embedding ?? []), decodeEmbedding(embedding))).to.be.at.most(
        1e-6,
      )
    }
  }

  const failing = async (...command: string[]): Promise<ErrorOutput['error']> => {
    const {json} = await chopsJson<ErrorOutput>(command)
    expectToMatchSchema('error', json)
    return json.error
  }

  it('copies records, those of the log included, with parameters and metadata', async () => {
    const before = fingerprint(persistDir)
    const {code, json} = await chopsJson<CollectionPushOutput>(args('churned'))
    expect(code).to.equal(0)
    expectToMatchSchema('collection-push', json)
    const churned = received('default_tenant/default_database/churned')
    expectRecords(churned, answered('churned'))
    expect(churned.body.metadata).to.deep.equal(answered('churned').metadata)
    expect(churned.body.configuration).to.deep.equal({
      embedding_function: {config: {}, name: 'default', type: 'known'},
      hnsw: {
        ef_construction: 80n,
        ef_search: 60n,
        max_neighbors: 8n,
        resize_factor: 1.2,
        space: 'cosine',
        sync_threshold: 50n,
        batch_size: 25n,
      },
    })
    expect(json.pushed).to.deep.include({sent: 200, skipped: 0, verified: 200})
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('copies what is in the log alone, to another name and place that it makes', async () => {
    const target = ['--as', 'copy', '--to-tenant', 'other', '--to-database', 'elsewhere']
    const {code, stdout} = await chops(args('wal_only', ...target))
    expect(code).to.equal(0)
    expectRecords(received('other/elsewhere/copy'), answered('wal_only'))
    expect(stdout).to.contain('new, in a new database')
    expect(stdout).to.contain('Pushed 16 records')
  })

  it('takes the collection of the place that is asked for', async () => {
    await chops(args('churned', '--tenant', 'acme', '-d', 'prod'))
    expectRecords(received('acme/prod/churned'), answered('churned', 'acme'))
  })

  it('sends integers with all their digits and floats as floats', async () => {
    const {topic} = await locate(persistDir, 'odd-name_1')
    const metadata = '{"big":9007199254740993,"round":2.0,"list":[1,2],"floats":[1.0,0.5]}'
    await appendLog(persistDir, topic, [{id: 'n', metadata, operation: 0, vector: new Float32Array(8)}])
    let body = ''
    server.fault = (path) => {
      if (path.endsWith('/upsert')) body = server.bodies.at(-1) ?? ''
    }

    await chops(args('odd-name_1'))
    const {metadatas} = parseExactJson(body) as {metadatas: object[]}
    expect(metadatas.at(-1)).to.deep.equal(parseExactJson(metadata))
    expect(body).to.contain('"round":2.0').and.contain('"floats":[1.0,0.5]')
  })

  it("keeps integers and floats apart in the collection's own metadata too", async () => {
    const {id} = await locate(persistDir, 'odd-name_1')
    await withDatabase(persistDir, async (db) => {
      const insert =
        'INSERT INTO collection_metadata (collection_id, key, int_value, float_value) VALUES (?, ?, ?, ?)'
      await db.run(insert, [id, 'version', null, 2])
      await db.run(insert, [id, 'big', 9_007_199_254_740_993n, null])
    })
    await chops(args('odd-name_1'))
    const {body} = received('default_tenant/default_database/odd-name_1')
    expect(body.metadata).to.deep.include({big: 9_007_199_254_740_993n, version: 2})
  })

  it('with --dry-run shows the plan and sends nothing', async () => {
    const {code, json} = await chopsJson<CollectionPushOutput>(args('churned', '--dry-run'))
    expect(code).to.equal(0)
    expectToMatchSchema('collection-push', json)
    expect(json).to.deep.include({outcome: 'dry-run', pushed: null})
    expect(json.plan.target.records).to.equal(null)
    expect(server.collections.size).to.equal(0)
  })

  describe('to a collection that exists', () => {
    const KEY = 'default_tenant/default_database/defaults'

    it('refuses without --resume and sends nothing', async () => {
      await chops(args('odd-name_1', '--as', 'defaults'))
      const error = await failing(...args('defaults'))
      expect(error).to.include({code: 'usage', exitCode: 2})
      expect(error.message).to.match(/defaults at http.* exists already and has 20 records/)
      expect(received(KEY).records.size).to.equal(20)
    })

    it('with --resume sends what is missing, once', async () => {
      await chops(args('defaults'))
      const {records} = received(KEY)
      for (const id of [...records.keys()].slice(150)) records.delete(id)
      const {json} = await chopsJson<CollectionPushOutput>(args('defaults', '--resume'))
      expectToMatchSchema('collection-push', json)
      expect(json.pushed).to.deep.include({sent: 387, skipped: 150})
      expectRecords(received(KEY), answered('defaults'))
    })

    it('with --resume refuses one that holds other records', async () => {
      await chops(args('defaults'))
      const {records} = received(KEY)
      const [record] = records.values()
      if (record) records.set('stranger', record)
      const error = await failing(...args('defaults', '--resume'))
      expect(error).to.include({code: 'usage', exitCode: 2})
      expect(error.message).to.contain('has 1 records that are not in defaults, as "stranger"')
    })

    it('with --resume refuses one whose records have changed', async () => {
      await chops(args('defaults'))
      for (const record of received(KEY).records.values()) record.document = 'stale'
      const error = await failing(...args('defaults', '--resume'))
      expect(error).to.include({code: 'damaged', exitCode: 4})
      expect(error.message).to.contain('has another document there')
    })

    it('refuses one of another dimension or space', async () => {
      await chops(args('defaults'))
      received(KEY).dimension = 384
      const dimension = await failing(...args('defaults', '--resume'))
      expect(dimension).to.include({code: 'usage', exitCode: 2})
      expect(dimension.message).to.match(/has embeddings of 8 dimensions, and .* of 384/)
      const space = await failing(...args('inner_product', '--as', 'defaults', '--resume'))
      expect(space.message).to.contain('of 384')
      received(KEY).dimension = 8
      const other = await failing(...args('inner_product', '--as', 'defaults', '--resume'))
      expect(other.message).to.contain('has the space ip')
    })
  })

  describe('when the server fails', () => {
    const upserts = (answers: ReturnType<FakeChroma['fault']>[]): void => {
      let at = 0
      server.fault = (path) => (path.endsWith('/upsert') ? answers[at++] : undefined)
    }

    it('repeats what fails for a moment, and no record comes twice', async () => {
      upserts([{status: 503}, {cut: true}, {headers: {'retry-after': '0'}, status: 429}, {status: 500}])
      const {code, json} = await chopsJson<CollectionPushOutput>(args('defaults', '--parallel', '1'))
      expect(code).to.equal(0)
      expect(json.pushed).to.deep.include({retries: 4, sent: 537})
      expectRecords(received('default_tenant/default_database/defaults'), answered('defaults'))
    })

    it('repeats a page of the ids that the server has, and not those before it', async () => {
      await chops(args('odd-name_1', '--as', 'defaults'))
      const {records} = received('default_tenant/default_database/defaults')
      const [record] = [...records.values()] as [FakeRecord]
      records.clear()
      for (let i = 0; i < 10_001; i++) records.set(`stranger ${i}`, record)
      const before = server.count('/get')
      server.fault = busyAt('/get', 2)
      const {message} = await failing(...args('defaults', '--resume'))
      expect(message).to.contain('has 10001 records that are not in defaults')
      expect(server.count('/get') - before).to.equal(3)
    })

    it('repeats meeting it, before the question and after', async () => {
      server.fault = busyAt('/version', 1, 3)
      const {json} = await chopsJson<CollectionPushOutput>(args('odd-name_1'))
      expect(json.pushed).to.deep.include({retries: 1, sent: 20})
      expect(server.count('/version')).to.equal(4)
    })

    it('repeats looking for the collection, but not making it', async () => {
      server.fault = busyAt('/databases/default_database', 2)
      const {json} = await chopsJson<CollectionPushOutput>(args('odd-name_1'))
      expect(json.pushed).to.deep.include({retries: 1, sent: 20})
      server.fault = busyAt('/collections/odd-name_1', 2)
      const {json: resumed} = await chopsJson<CollectionPushOutput>(args('odd-name_1', '--resume'))
      expect(resumed.pushed).to.deep.include({retries: 1, skipped: 20})
      const before = server.count('/collections')
      server.fault = busyAt('/collections', 1)
      const error = await failing(...args('defaults'))
      expect(error).to.include({code: 'in-use', exitCode: 3})
      expect(server.count('/collections') - before).to.equal(1)
    })

    it('gives up after --retry-for, and goes on with --resume', async () => {
      upserts([undefined, {status: 503}])
      const error = await failing(...args('defaults', '--retry-for', '0', '--parallel', '1'))
      expect(error).to.include({code: 'in-use', exitCode: 3})
      expect(error.next).to.contain('--resume')
      expect(received('default_tenant/default_database/defaults').records.size).to.equal(100)
      server.fault = noFault
      const {json} = await chopsJson<CollectionPushOutput>(args('defaults', '--resume'))
      expect(json.pushed).to.deep.include({sent: 437, skipped: 100})
    })

    it('says that it is full, without trying again', async () => {
      upserts([{body: '{"error":"x","message":"disk quota used up"}', status: 507}])
      const error = await failing(...args('defaults', '--parallel', '1'))
      expect(error).to.include({code: 'damaged', exitCode: 4})
      expect(error.message).to.contain('has no room left').and.contain('disk quota used up')
      expect(server.count('/upsert')).to.equal(1)
    })

    it('says that a request is too large for it, and what to do', async () => {
      upserts([{body: '<html>413 Request Entity Too Large</html>', status: 413}])
      const error = await failing(...args('defaults', '--parallel', '1'))
      expect(error).to.include({code: 'damaged', exitCode: 4})
      expect(error.message).to.contain('does not take a request this large')
      expect(error.next).to.contain('--batch-size').and.contain('--resume')
    })

    it('says what it refuses', async () => {
      upserts([
        {
          body: '{"error":"InvalidArgument","message":"expecting embedding with dimension of 3, got 8"}',
          status: 400,
        },
      ])
      const error = await failing(...args('defaults', '--parallel', '1'))
      expect(error).to.include({code: 'usage', exitCode: 2})
      expect(error.message).to.contain('expecting embedding with dimension of 3, got 8')
      expect(error.next).to.contain('--as')
    })

    it('says that an older server knows no lists', async () => {
      const message =
        'Failed to deserialize the JSON body into the target type: metadatas[0].tags: data did not match any variant of untagged enum UpdateMetadataValue at line 1 column 160'
      upserts([{body: message, status: 422}])
      const error = await failing(...args('churned', '--parallel', '1'))
      expect(error).to.include({code: 'usage', exitCode: 2})
      expect(error.message).to.contain('metadatas[0].tags')
      expect(error.next).to.contain('Chroma 1.5 or later')
    })

    it('says that nothing listens there, at once', async () => {
      const {url} = server
      server.stop()
      const error = await failing('collection', 'push', persistDir, '-c', 'defaults', '--url', url, '--yes')
      expect(error).to.include({code: 'not-found', exitCode: 5})
      expect(error.message).to.contain(`The server at ${url} cannot be reached`)
    })

    it('is not led to another server', async () => {
      server.fault = () => ({headers: {location: 'http://127.0.0.1:1/'}, status: 307})
      const error = await failing(...args('defaults'))
      expect(error).to.include({code: 'usage', exitCode: 2})
      expect(error.message).to.contain('sends elsewhere')
    })
  })

  describe('with a token', () => {
    it('sends the one of CHROMA_TOKEN, and headers', async () => {
      server.token = SECRET
      const {code} = await chops(args('odd-name_1', '--header', 'X-Team: blue', '--header', 'X-Zone=a'), {
        env: {CHROMA_TOKEN: SECRET},
      })
      expect(code).to.equal(0)
      expect(server.requests.at(-1)?.headers).to.include({
        authorization: `Bearer ${SECRET}`,
        'x-team': 'blue',
        'x-zone': 'a',
      })
    })

    it('never shows it, whatever the server answers', async () => {
      server.token = 'another'
      for (const more of [[], ['--json'], ['--token', SECRET]]) {
        const {code, stderr, stdout} = await chops(args('odd-name_1', ...more), {env: {CHROMA_TOKEN: SECRET}})
        expect(code).to.equal(2)
        expect(stdout + stderr).to.contain('refuses the token')
        expect(stdout + stderr).not.to.contain(SECRET)
      }

      server.fault = () => ({
        body: `{"error":"x","message":"what about ${SECRET} and pass:w%rd?"}`,
        status: 400,
      })
      const url = server.url.replace('http://', 'http://user:pass%3Aw%25rd@')
      for (const more of [[], ['--json']]) {
        const command = ['collection', 'push', persistDir, '-c', 'odd-name_1', '--url', url, ...more]
        const {stderr, stdout} = await chops(command, {env: {CHROMA_TOKEN: SECRET}})
        expect(stdout + stderr).to.contain('what about redacted and redacted?')
        expect(stdout + stderr).not.to.match(/pass|w%25rd/)
      }
    })

    it('refuses a token that no header can hold', async () => {
      for (const token of [`${SECRET}\nsecond line`, `${SECRET}€`, `${SECRET}\u007F`]) {
        const {json} = await chopsJson<ErrorOutput>(args('odd-name_1'), {env: {CHROMA_TOKEN: token}})
        expect(json.error).to.include({code: 'usage', exitCode: 2})
        expect(JSON.stringify(json)).not.to.contain(SECRET)
      }
    })

    it('takes a password with a percent sign that is not escaped as it is', async () => {
      const url = server.url.replace('http://', 'http://user:100%@')
      const {code} = await chops([
        'collection',
        'push',
        persistDir,
        '-c',
        'odd-name_1',
        '--url',
        url,
        '--yes',
      ])
      expect(code).to.equal(0)
      const authorization = `Basic ${Buffer.from('user:100%').toString('base64')}`
      expect(server.requests.at(-1)?.headers).to.include({authorization})
    })

    it('refuses what is no header or address without repeating it', async () => {
      const header = await failing(...args('odd-name_1', '--header', SECRET))
      expect(header).to.include({code: 'usage', exitCode: 2})
      expect(JSON.stringify(header)).not.to.contain(SECRET)
      const url = await failing(
        'collection',
        'push',
        persistDir,
        '-c',
        'odd-name_1',
        '--url',
        `ftp://u:${SECRET}@h`,
      )
      expect(url).to.include({code: 'usage', exitCode: 2})
      expect(JSON.stringify(url)).not.to.contain(SECRET)
      const page = ['collection', 'push', persistDir, '-c', 'odd-name_1', '--url', `${server.url}/#/x`]
      expect(await failing(...page)).to.include({code: 'usage', exitCode: 2})
    })
  })

  it('leaves out records whose vectors are lost, names them, and says so with exit code 1', async () => {
    const {folder} = await locate(persistDir, 'inner_product')
    await markDeleted(folder, 3)
    const {code, json} = await chopsJson<CollectionPushOutput & {warnings: string[]}>(args('inner_product'))
    expect(code).to.equal(1)
    expectToMatchSchema('collection-push', json)
    expect(json.plan.lost).to.have.lengthOf(1)
    expect(json.pushed).to.deep.include({sent: 99})
    expect(json.warnings.join(' ')).to.contain(JSON.stringify(json.plan.lost[0]))
    const ids = [...received('default_tenant/default_database/inner_product').records.keys()]
    expect(ids).to.have.lengthOf(99).and.not.include(json.plan.lost[0])
  })

  it('refuses a value that JSON cannot say, and names it', async () => {
    await withDatabase(persistDir, (db) =>
      db.run('UPDATE embedding_metadata SET float_value = 9e999 WHERE float_value IS NOT NULL'),
    )
    const error = await failing(...args('churned'))
    expect(error).to.include({code: 'usage', exitCode: 2})
    expect(error.message).to.match(/The metadata "f" of the record "id-\d+" is infinite/)
  })

  it('refuses an embedding that JSON cannot say, and names the record', async () => {
    const {topic} = await locate(persistDir, 'odd-name_1')
    const vector = new Float32Array(8).fill(Number.NaN, 3, 4)
    await appendLog(persistDir, topic, [{id: 'broken', metadata: null, operation: 0, vector}])
    const error = await failing(...args('odd-name_1'))
    expect(error).to.include({code: 'usage', exitCode: 2})
    expect(error.message).to.contain('The embedding of the record "broken"')
  })
})
