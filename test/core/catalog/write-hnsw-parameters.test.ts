import {expect} from 'chai'

import {hnswParametersOf, readCatalog} from '../../../core/src/catalog/catalog.js'
import {HNSW_METADATA_KEYS, type HnswParameters} from '../../../core/src/catalog/hnsw-parameters.js'
import {writeHnswParameters} from '../../../core/src/catalog/write-hnsw-parameters.js'
import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {type FixtureName, unpackFixture} from '../../support/fixtures.js'
import {locate} from '../../support/segments.js'
import {withDatabase} from '../../support/sql.js'

interface Columns {
  config_json_str: null | string
  schema_str?: null | string
}

interface Written {
  after: HnswParameters
  before: HnswParameters
  columns: Columns
}

/** Writes parameters of `defaults` after setting its columns, and reads back what is there. */
async function write(
  name: FixtureName,
  changed: Partial<HnswParameters>,
  columns: Partial<Columns> = {},
): Promise<Written> {
  const {persistDir} = unpackFixture(name)
  const {id, segmentId} = await locate(persistDir, 'defaults')
  for (const [column, value] of Object.entries(columns)) {
    await withDatabase(persistDir, (db) =>
      db.run(`UPDATE collections SET ${column} = ? WHERE id = ?`, [value as null | string, id]),
    )
  }

  const before = await locate(persistDir, 'defaults')
  const dir = await openPersistDir(persistDir, 'write')
  try {
    await writeHnswParameters(dir, before, segmentId, changed)
    const {collections} = await readCatalog(dir)
    const after = collections.find((collection) => collection.id === id)
    const row = await dir.db.get<Columns>('SELECT * FROM collections WHERE id = ?', [id])
    if (!after || !row) throw new Error('the collection is gone')
    return {after: hnswParametersOf(dir, after), before: hnswParametersOf(dir, before), columns: row}
  } finally {
    await dir.close()
  }
}

describe('writing the parameters of an index', () => {
  it('into a schema changes every vector index in it, and the space beside it', async () => {
    const {after, before, columns} = await write('chroma-1.5.9', {m: 12, space: 'ip'})
    expect(after).to.deep.equal({...before, m: 12, space: 'ip'})
    const schema = columns.schema_str ?? ''
    expect(schema.match(/"space":"ip"/g)).to.have.length(2)
    expect(schema.match(/"max_neighbors":12/g)).to.have.length(2)
    expect(schema).not.to.match(/"space":"l2"|"max_neighbors":16/)
  })

  it('into a schema without HNSW settings makes them', async () => {
    const config = {config: {embedding_function: {name: 'mine'}, space: 'l2'}, enabled: true}
    const schema = {
      keys: {'#embedding': {float_list: {vector_index: config}}, page: {string: {}}},
      other: [1, 2.5],
    }
    const {after, before, columns} = await write(
      'chroma-1.5.9',
      {searchEf: 70},
      {schema_str: JSON.stringify(schema)},
    )
    expect(after).to.deep.equal({...before, searchEf: 70})
    const written = JSON.parse(columns.schema_str ?? '') as typeof schema
    const {hnsw, ...others} = written.keys['#embedding'].float_list.vector_index
      .config as typeof config.config & {hnsw: object}
    expect(hnsw).to.include({ef_search: 70})
    expect(others).to.deep.equal(config.config)
    written.keys['#embedding'].float_list.vector_index = config
    expect(written).to.deep.equal(schema)
  })

  for (const empty of [null, '', 'null']) {
    it(`writes config_json_str where schema_str is ${JSON.stringify(empty)}`, async () => {
      const {after, before, columns} = await write('chroma-1.5.9', {space: 'cosine'}, {schema_str: empty})
      expect(after).to.deep.equal({...before, space: 'cosine'})
      expect(columns.schema_str).to.equal(empty)
    })
  }

  for (const empty of [null, '{}', '{"embedding_function":{"name":"mine"}}']) {
    it(`makes a configuration of ${empty}, and keeps what it says`, async () => {
      const columns = {config_json_str: empty}
      const written = await write('chroma-1.0.16', {resizeFactor: 2, syncThreshold: 60}, columns)
      expect(written.after).to.deep.equal({...written.before, resizeFactor: 2, syncThreshold: 60})
      const {vector_index, ...rest} = JSON.parse(written.columns.config_json_str ?? '') as {
        vector_index: object
      }
      expect(vector_index).to.have.nested.property('hnsw.sync_threshold', 60)
      expect(rest).to.deep.equal(JSON.parse(empty ?? '{}'))
    })
  }

  it('of an older engine changes its metadata, each value in the column of its kind', async () => {
    const {persistDir} = unpackFixture('chroma-0.5.5')
    const collection = await locate(persistDir, 'defaults')
    const dir = await openPersistDir(persistDir, 'write')
    const changed = {m: 12, resizeFactor: 2, space: 'cosine'} as const
    await writeHnswParameters(dir, collection, collection.segmentId, changed)
    const rows = await dir.db.all<{key: string}>(
      `SELECT key, str_value, int_value, typeof(float_value) AS kind, float_value, bool_value
       FROM segment_metadata WHERE segment_id = ? ORDER BY key`,
      [collection.segmentId],
    )
    await dir.close()
    const nothing = {bool_value: null, float_value: null, int_value: null, kind: 'null', str_value: null}
    expect(rows.map((row) => ({...row}))).to.deep.equal([
      {...nothing, int_value: 12, key: HNSW_METADATA_KEYS.m},
      {...nothing, float_value: 2, key: HNSW_METADATA_KEYS.resizeFactor, kind: 'real'},
      {...nothing, key: HNSW_METADATA_KEYS.space, str_value: 'cosine'},
    ])
  })

  it('of nothing writes nothing', async () => {
    const {after, before, columns} = await write('chroma-1.5.9', {}, {schema_str: '{"odd" : 1}'})
    expect(after).to.deep.equal(before)
    expect(columns.schema_str).to.equal('{"odd" : 1}')
  })

  it('keeps the batch size and the threads that an upgraded directory has in the old place', async () => {
    for (const name of ['chroma-0.6.3-then-1.5.9', 'chroma-0.5.5-then-1.0.16'] as const) {
      const {persistDir} = unpackFixture(name)
      const collection = await locate(persistDir, 'churned')
      await withDatabase(persistDir, (db) =>
        db.run(
          "INSERT INTO segment_metadata (segment_id, key, int_value) VALUES (?, 'hnsw:num_threads', 7)",
          [collection.segmentId],
        ),
      )
      const dir = await openPersistDir(persistDir, 'write')
      await writeHnswParameters(dir, await locate(persistDir, 'churned'), collection.segmentId, {
        searchEf: 70,
      })
      const {collections} = await readCatalog(dir)
      const after = collections.find(({id}) => id === collection.id)
      expect(after && hnswParametersOf(dir, after), name).to.include({
        batchSize: 25,
        numThreads: 7,
        searchEf: 70,
      })
      await dir.close()
    }
  })
})
