import {availableParallelism} from 'node:os'

import type {Generation} from '../persist-dir/generation.js'
import type {Metadata} from './metadata.js'

import {damaged} from '../errors.js'

export type Space = 'cosine' | 'ip' | 'l2'

/** The parameters of a collection's HNSW index, under the names of Chroma's `hnsw:*` metadata. */
export interface HnswParameters {
  batchSize: number
  constructionEf: number
  m: number
  numThreads: number
  resizeFactor: number
  searchEf: number
  space: Space
  syncThreshold: number
}

/** The keys of Chroma's metadata, `hnsw_params.py` and `rust/types/src/hnsw_configuration.rs`. */
export const HNSW_METADATA_KEYS = {
  batchSize: 'hnsw:batch_size',
  constructionEf: 'hnsw:construction_ef',
  m: 'hnsw:M',
  numThreads: 'hnsw:num_threads',
  resizeFactor: 'hnsw:resize_factor',
  searchEf: 'hnsw:search_ef',
  space: 'hnsw:space',
  syncThreshold: 'hnsw:sync_threshold',
} as const satisfies Record<keyof HnswParameters, string>

/** The texts of a collection in which the generations keep their parameters. */
export interface ParameterSources {
  /** `collections.config_json_str`: what counts in 1.0 to 1.2. */
  configJson: null | string
  /** `collections.schema_str`: what counts from 1.3. */
  schemaJson: null | string
  /** `segment_metadata` of the vector segment: what counts up to 0.6.3. */
  segmentMetadata: Metadata
}

interface HnswJson {
  batch_size?: number
  ef_construction?: number
  ef_search?: number
  max_neighbors?: number
  num_threads?: number
  resize_factor?: number
  space?: Space
  sync_threshold?: number
}

interface VectorIndexJson {
  hnsw?: HnswJson
  space?: Space
}

interface SchemaJson {
  defaults?: {float_list?: {vector_index?: {config?: VectorIndexJson}}}
  keys?: Record<string, {float_list?: {vector_index?: {config?: VectorIndexJson}}}>
}

interface ConfigJson {
  hnsw_configuration?: {ef_search?: number}
  vector_index?: {hnsw?: HnswJson}
}

/** `rust/types/src/hnsw_configuration.rs`; the Python engines differ in `search_ef` alone. */
export function rustDefaults(): HnswParameters {
  return {
    batchSize: 100,
    constructionEf: 100,
    m: 16,
    numThreads: availableParallelism(),
    resizeFactor: 1.2,
    searchEf: 100,
    space: 'l2',
    syncThreshold: 1000,
  }
}

/** `hnsw_params.py` had 10 until 0.6, and wrote its default of the day into the otherwise unused configuration. */
const OLD_PYTHON_SEARCH_EF = 10

/**
 * The parameters that the engine of this generation uses for a collection, read where that engine reads them.
 *
 * The Rust engines take `schema_str`, else `config_json_str`; when that says nothing but defaults, the `hnsw:*` metadata an
 * older engine left on the segment wins (`get_internal_hnsw_config_with_legacy_fallback` in
 * `rust/types/src/collection_schema.rs`). The Python engines know the segment's metadata only.
 *
 * @throws ChopsError `damaged` when a configuration is not JSON, or a parameter in it not of its type: Chroma itself then
 * fails to list the collection
 */
export function readHnswParameters(
  generation: Generation,
  sources: ParameterSources,
  collection: string,
): HnswParameters {
  return requireTypes(parametersOf(generation, sources, collection), collection)
}

function parametersOf(generation: Generation, sources: ParameterSources, collection: string): HnswParameters {
  const config = parse<ConfigJson>(sources.configJson, 'config_json_str', collection)
  if (generation.engine === 'python') {
    const searchEf = config?.hnsw_configuration?.ef_search ?? OLD_PYTHON_SEARCH_EF
    return fromMetadata(sources.segmentMetadata, {...rustDefaults(), searchEf})
  }

  const schema = parse<SchemaJson>(sources.schemaJson, 'schema_str', collection)
  const configured = schema ? fromSchema(schema) : fromHnswJson(config?.vector_index?.hnsw)
  return isDefault(configured) ? fromMetadata(sources.segmentMetadata, rustDefaults()) : configured
}

function parse<T>(json: null | string, column: string, collection: string): T | undefined {
  if (json === null || json.trim() === '' || json.trim() === 'null') return undefined
  try {
    return JSON.parse(json) as T
  } catch (error) {
    throw damaged(`The column ${column} of collection ${collection} in chroma.sqlite3 is not JSON.`, {
      cause: error,
      next: 'Restore chroma.sqlite3 from a backup, or set the column to NULL if the index was built with default parameters.',
    })
  }
}

/** A number beyond 2^53 becomes the largest exact one: it is somebody's "never", and is reached no more than that. */
function requireTypes(parameters: HnswParameters, collection: string): HnswParameters {
  const typed = {...parameters}
  for (const key of Object.keys(HNSW_METADATA_KEYS) as (keyof HnswParameters)[]) {
    const value: unknown = parameters[key]
    if (
      key === 'space' ? isSpace(value) : key === 'resizeFactor' ? Number.isFinite(value) : isInteger(value)
    ) {
      if (key !== 'space') typed[key] = Math.min(parameters[key], Number.MAX_SAFE_INTEGER)
      continue
    }

    throw damaged(
      `The configuration of collection ${collection} in chroma.sqlite3 has ${JSON.stringify(value)} as ${HNSW_METADATA_KEYS[key]}, which no Chroma can read.`,
      {next: 'Restore chroma.sqlite3 from a backup.'},
    )
  }

  return typed
}

function isSpace(value: unknown): value is Space {
  return value === 'cosine' || value === 'ip' || value === 'l2'
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= -Number.MAX_SAFE_INTEGER
}

function fromSchema(schema: SchemaJson): HnswParameters {
  const config =
    schema.keys?.['#embedding']?.float_list?.vector_index?.config ??
    schema.defaults?.float_list?.vector_index?.config
  return fromHnswJson(config?.hnsw, config?.space)
}

function fromHnswJson(given?: HnswJson | null, space?: null | Space): HnswParameters {
  const hnsw = given ?? {}
  const fallback = rustDefaults()
  return {
    batchSize: hnsw.batch_size ?? fallback.batchSize,
    constructionEf: hnsw.ef_construction ?? fallback.constructionEf,
    m: hnsw.max_neighbors ?? fallback.m,
    numThreads: hnsw.num_threads ?? fallback.numThreads,
    resizeFactor: hnsw.resize_factor ?? fallback.resizeFactor,
    searchEf: hnsw.ef_search ?? fallback.searchEf,
    space: space ?? hnsw.space ?? fallback.space,
    syncThreshold: hnsw.sync_threshold ?? fallback.syncThreshold,
  }
}

function fromMetadata(metadata: Metadata, fallback: HnswParameters): HnswParameters {
  const number = (key: Exclude<keyof HnswParameters, 'space'>): number => {
    const value = metadata[HNSW_METADATA_KEYS[key]]
    const number = typeof value === 'bigint' ? Number(value) : value
    return typeof number === 'number' && (key === 'resizeFactor' || isInteger(number))
      ? number
      : fallback[key]
  }

  const space = metadata[HNSW_METADATA_KEYS.space]
  return {
    batchSize: number('batchSize'),
    constructionEf: number('constructionEf'),
    m: number('m'),
    numThreads: number('numThreads'),
    resizeFactor: number('resizeFactor'),
    searchEf: number('searchEf'),
    space: isSpace(space) ? space : fallback.space,
    syncThreshold: number('syncThreshold'),
  }
}

function isDefault(parameters: HnswParameters): boolean {
  const expected = rustDefaults()
  return (Object.keys(expected) as (keyof HnswParameters)[]).every((key) => parameters[key] === expected[key])
}
