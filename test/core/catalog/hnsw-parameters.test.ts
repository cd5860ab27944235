import {expect} from 'chai'
import {availableParallelism} from 'node:os'

import type {Generation} from '../../../core/src/persist-dir/generation.js'

import {
  type HnswParameters,
  type ParameterSources,
  readHnswParameters,
} from '../../../core/src/catalog/hnsw-parameters.js'
import {failure} from '../sqlite/support.js'

const generation = (engine: Generation['engine']): Generation => ({
  engine,
  releases: '',
  schema: {embeddingsQueue: 2, metadb: engine === 'rust' ? 6 : 4, sysdb: 9},
})

const DEFAULTS: HnswParameters = {
  batchSize: 100,
  constructionEf: 100,
  m: 16,
  numThreads: availableParallelism(),
  resizeFactor: 1.2,
  searchEf: 100,
  space: 'l2',
  syncThreshold: 1000,
}

function read(engine: Generation['engine'], sources: Partial<ParameterSources>): HnswParameters {
  const nothing = {configJson: null, schemaJson: null, segmentMetadata: {}}
  return readHnswParameters(generation(engine), {...nothing, ...sources}, 'docs')
}

const LEGACY = {
  'hnsw:M': 8,
  'hnsw:batch_size': 25,
  'hnsw:num_threads': 3,
  'hnsw:resize_factor': 2,
  'hnsw:space': 'cosine',
}
const legacy = {batchSize: 25, m: 8, numThreads: 3, resizeFactor: 2, space: 'cosine'} as const

describe('the parameters of an index', () => {
  describe('of a Python engine', () => {
    it('come from the metadata of the segment alone', () => {
      const configJson =
        '{"vector_index":{"hnsw":{"max_neighbors":99}},"hnsw_configuration":{"M":99,"ef_search":100}}'
      expect(read('python', {configJson, segmentMetadata: LEGACY})).to.deep.equal({...DEFAULTS, ...legacy})
    })

    it('have the ef of the engine’s own default, which changed with 0.6', () => {
      expect(read('python', {}).searchEf).to.equal(10)
      expect(read('python', {configJson: '{"hnsw_configuration":{"ef_search":10}}'}).searchEf).to.equal(10)
      expect(read('python', {configJson: '{"hnsw_configuration":{"ef_search":100}}'}).searchEf).to.equal(100)
      expect(read('python', {segmentMetadata: {'hnsw:search_ef': 55}}).searchEf).to.equal(55)
    })

    it('keep a threshold beyond 2^53 out of reach', () => {
      const never = {'hnsw:sync_threshold': 2n ** 63n - 1n}
      expect(read('python', {segmentMetadata: never}).syncThreshold).to.equal(Number.MAX_SAFE_INTEGER)
      const configJson = '{"vector_index":{"hnsw":{"sync_threshold":9223372036854775807}}}'
      expect(read('rust', {configJson}).syncThreshold).to.equal(Number.MAX_SAFE_INTEGER)
    })

    it('are the defaults where the metadata says nothing that fits', () => {
      const odd = {
        'hnsw:M': 'many',
        'hnsw:batch_size': 1.5,
        'hnsw:space': 'hamming',
        'hnsw:sync_threshold': true,
      }
      expect(read('python', {segmentMetadata: odd})).to.deep.equal({...DEFAULTS, searchEf: 10})
    })
  })

  describe('of a Rust engine', () => {
    const configJson = '{"vector_index":{"hnsw":{"space":"ip","max_neighbors":12}},"embedding_function":null}'
    const schemaJson = JSON.stringify({
      defaults: {float_list: {vector_index: {config: {hnsw: {max_neighbors: 99}, space: 'l2'}}}},
      keys: {'#embedding': {float_list: {vector_index: {config: {hnsw: {ef_search: 70}, space: 'cosine'}}}}},
    })

    it('come from config_json_str, whose missing keys are defaults', () => {
      expect(read('rust', {configJson})).to.deep.equal({...DEFAULTS, m: 12, space: 'ip'})
    })

    it('come from schema_str where there is one: that of #embedding, else the general one', () => {
      expect(read('rust', {configJson, schemaJson})).to.deep.equal({
        ...DEFAULTS,
        searchEf: 70,
        space: 'cosine',
      })
      const general = JSON.stringify({...(JSON.parse(schemaJson) as object), keys: {}})
      expect(read('rust', {configJson, schemaJson: general})).to.deep.equal({...DEFAULTS, m: 99})
    })

    for (const nothing of [null, '', ' ', 'null']) {
      it(`come from config_json_str where schema_str is ${JSON.stringify(nothing)}`, () => {
        expect(read('rust', {configJson, schemaJson: nothing}).m).to.equal(12)
      })
    }

    it('come from the metadata of the segment where the configuration says nothing but defaults', () => {
      for (const config of [
        null,
        '{}',
        '{"vector_index":{"hnsw":{"ef_search":100}}}',
        '{"hnsw_configuration":{"M":99}}',
      ]) {
        expect(read('rust', {configJson: config, segmentMetadata: LEGACY})).to.deep.equal({
          ...DEFAULTS,
          ...legacy,
        })
      }
    })

    it('do not come from it when the configuration says anything else', () => {
      expect(read('rust', {configJson, segmentMetadata: LEGACY})).to.deep.equal({
        ...DEFAULTS,
        m: 12,
        space: 'ip',
      })
    })

    it('are the defaults where the configuration is null', () => {
      const schema =
        '{"keys":{"#embedding":{"float_list":{"vector_index":{"config":{"hnsw":null,"space":null}}}}}}'
      expect(read('rust', {schemaJson: schema})).to.deep.equal(DEFAULTS)
      expect(read('rust', {configJson: '{"vector_index":{"hnsw":null}}'})).to.deep.equal(DEFAULTS)
    })

    for (const column of ['configJson', 'schemaJson'] as const) {
      it(`are not guessed where ${column} is not JSON`, async () => {
        const error = await failure('damaged', async () => read('rust', {[column]: '{"vector_index"'}))
        expect(error.message).to.match(
          /^The column (config_json|schema)_str of collection docs .* is not JSON\.$/,
        )
      })
    }

    for (const [name, value] of [
      ['ef_search', '"70"'],
      ['max_neighbors', '1.5'],
      ['resize_factor', 'true'],
      ['space', '{"l2":1}'],
      ['sync_threshold', '1e999'],
    ] as const) {
      it(`are refused where ${name} is ${value}`, async () => {
        const configJson = `{"vector_index":{"hnsw":{"${name}":${value}}}}`
        const error = await failure('damaged', async () => read('rust', {configJson}))
        expect(error.message).to.match(
          /^The configuration of collection docs .* as hnsw:\w+, which no Chroma can read\.$/,
        )
      })
    }
  })
})
