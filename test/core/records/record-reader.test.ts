import {expect} from 'chai'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {parseExactJson} from '../../../core/src/records/exact-json.js'
import {type ChromaRecord, RecordReader} from '../../../core/src/records/index.js'
import {type Expected, FIXTURES, unpackFixture} from '../../support/fixtures.js'
import {appendLog, decodeEmbedding, deviation, locate, markDeleted} from '../../support/segments.js'
import {withDatabase} from '../../support/sql.js'
import {failure} from '../sqlite/support.js'

async function withReader<T>(
  persistDir: string,
  {name, tenant}: {name: string; tenant?: string},
  work: (reader: RecordReader) => Promise<T>,
): Promise<T> {
  const collection = await locate(persistDir, name, tenant)
  const dir = await openPersistDir(persistDir)
  try {
    const reader = await RecordReader.open(dir, collection)
    try {
      return await work(reader)
    } finally {
      reader.close()
    }
  } finally {
    await dir.close()
  }
}

/** All records, in pages so small that there are several. */
async function readAll(
  persistDir: string,
  collection: {name: string; tenant?: string},
): Promise<Map<string, ChromaRecord>> {
  return withReader(persistDir, collection, async (reader) => {
    const records: ChromaRecord[] = []
    for await (const page of reader.pages({pageSize: 64})) records.push(...page)
    expect(await reader.count()).to.equal(records.length)
    expect(await idsOf(reader)).to.deep.equal(records.map(({id}) => id))
    return new Map(records.map((record) => [record.id, record]))
  })
}

async function idsOf(reader: RecordReader): Promise<string[]> {
  const ids: string[] = []
  for await (const page of reader.ids()) ids.push(...page)
  return ids
}

const vector = (first: number): Float32Array => Float32Array.from([first, 0, 0, 0, 0, 0, 0, 1])

describe('the records of a collection', () => {
  for (const name of FIXTURES) {
    it(`of ${name} are those its engine answered, integers and floats apart`, async () => {
      const {persistDir} = unpackFixture(name)
      const text = readFileSync(join(persistDir, '..', 'expected.json'), 'utf8')
      const {collections} = parseExactJson(text) as Expected
      for (const collection of collections) {
        const found = await readAll(persistDir, collection)
        expect([...found.keys()]).to.have.members(collection.records.map(({id}) => id))
        for (const wanted of collection.records) {
          const record = found.get(wanted.id)
          const {document, metadata} = wanted
          expect({document: record?.document, metadata: record?.metadata}).to.deep.equal({document, metadata})
          // An engine gives a cosine vector back normalised and multiplied again; in the log it is as it was written.
          const off = deviation(record?.embedding, decodeEmbedding(wanted.embedding_b64))
          expect(off, wanted.id).to.be.at.most(collection.metadata?.['hnsw:space'] === 'cosine' ? 1e-7 : 0)
        }
      }
    })
  }

  describe('with a log that nothing has applied', () => {
    const collection = {name: 'odd-name_1'}
    let persistDir: string
    let before: Map<string, ChromaRecord>
    let topic: string

    beforeEach(async () => {
      ;({persistDir} = unpackFixture('chroma-1.5.9'))
      before = await readAll(persistDir, collection)
      ;({topic} = await locate(persistDir, collection.name))
    })

    it('an update changes the keys it names, and a null takes one away', async () => {
      const [id] = [...before.keys()]
      const metadata = '{"new":[1,2],"chroma:document":"changed","chroma:uri":"file:///a"}'
      await appendLog(persistDir, topic, [
        {id: id ?? '', metadata: '{"big":9007199254740993,"round":2.0,"gone":true}', operation: 1},
        {id: id ?? '', metadata: '{"gone":null}', operation: 2},
        {id: id ?? '', metadata, operation: 1, vector: vector(5)},
      ])
      const record = (await readAll(persistDir, collection)).get(id ?? '')
      const old = before.get(id ?? '')
      expect(record).to.deep.equal({
        document: 'changed',
        embedding: vector(5),
        id,
        metadata: {...old?.metadata, big: 9_007_199_254_740_993n, new: [1n, 2n], round: 2},
        uri: 'file:///a',
      })
    })

    it('adds, deletes and re-adds come in the order in which the engine would apply them', async () => {
      const [first = '', second = '', third = ''] = before.keys()
      await appendLog(persistDir, topic, [
        {id: first, operation: 3},
        {id: 'added', metadata: '{"k":"v"}', operation: 0, vector: vector(1)},
        {id: first, metadata: '{"again":true}', operation: 0, vector: vector(2)},
        {id: second, operation: 3},
        {id: third, metadata: '{"ignored":1}', operation: 0, vector: vector(3)},
        {id: 'unknown', metadata: '{"ignored":1}', operation: 1, vector: vector(3)},
        {id: 'short-lived', operation: 0, vector: vector(3)},
        {id: 'short-lived', operation: 3},
      ])
      const found = await readAll(persistDir, collection)
      const rest = [...before.keys()].slice(2)
      expect([...found.keys()]).to.deep.equal([...rest, 'added', first])
      expect(found.get('added')).to.deep.include({embedding: vector(1), metadata: {k: 'v'}})
      expect(found.get(first)).to.deep.include({
        document: null,
        embedding: vector(2),
        metadata: {again: true},
      })
      expect(found.get(third)).to.deep.equal(before.get(third))
    })

    it('the same records come by their ids', async () => {
      const [first = '', second = ''] = before.keys()
      await appendLog(persistDir, topic, [
        {id: 'added', operation: 0, vector: vector(1)},
        {id: second, operation: 3},
      ])
      const found = await withReader(persistDir, collection, (reader) =>
        reader.byIds([first, second, 'added', 'nobody']),
      )
      expect(found.map(({id}) => id)).to.have.members([first, 'added'])
    })

    it('a row whose metadata no engine reads is an error that names it', async () => {
      const [seqId] = await appendLog(persistDir, topic, [
        {id: 'a', metadata: '{"k": ', operation: 0, vector: vector(1)},
      ])
      const {message} = await failure('damaged', () => readAll(persistDir, collection))
      expect(message).to.match(new RegExp(`Row ${seqId} of the log .* has metadata that is not JSON`))
    })
  })

  it('a record whose vector is lost comes without an embedding', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {folder} = await locate(persistDir, 'inner_product')
    await markDeleted(folder, 3)
    const found = await readAll(persistDir, {name: 'inner_product'})
    const lost = [...found.values()].filter(({embedding}) => embedding === undefined)
    expect(found.size).to.equal(100)
    expect(lost).to.have.lengthOf(1)
    await withReader(persistDir, {name: 'inner_product'}, async (reader) => {
      expect((await idsOf(reader)).filter((id) => !reader.hasVector(id))).to.deep.equal([lost[0]?.id])
    })
  })

  it('integers of metadata keep all their digits', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    await withDatabase(persistDir, (db) =>
      db.run(
        `UPDATE embedding_metadata SET int_value = ? WHERE key = 'only' AND id = (SELECT id FROM embeddings
         WHERE embedding_id = 'id-0' AND segment_id = (SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection
         WHERE c.name = 'defaults' AND s.scope = 'METADATA'))`,
        [9_223_372_036_854_775_807n],
      ),
    )
    const found = await readAll(persistDir, {name: 'defaults'})
    expect(found.get('id-0')?.metadata?.only).to.equal(9_223_372_036_854_775_807n)
  })
})
