import {type Collection, type HnswParameters, rustDefaults, type Space} from '@chops/core/catalog'
import type {Generation} from '@chops/core/persist-dir'
import type {RecordMetadata} from '@chops/core/records'

import type {NewCollection, RemoteCollection} from './chroma-server.js'

import {exactJson} from './stored-record.js'

/** The parameters that are carried over; the number of threads is one of the machine. */
const CONFIGURATION = {
  batchSize: 'batch_size',
  constructionEf: 'ef_construction',
  m: 'max_neighbors',
  resizeFactor: 'resize_factor',
  searchEf: 'ef_search',
  space: 'space',
  syncThreshold: 'sync_threshold',
} as const satisfies Partial<Record<keyof HnswParameters, string>>

/** The same in the metadata of a collection, where servers up to 0.6 look for them. */
const METADATA = {
  batchSize: 'hnsw:batch_size',
  constructionEf: 'hnsw:construction_ef',
  m: 'hnsw:M',
  resizeFactor: 'hnsw:resize_factor',
  searchEf: 'hnsw:search_ef',
  space: 'hnsw:space',
  syncThreshold: 'hnsw:sync_threshold',
} as const satisfies Record<keyof typeof CONFIGURATION, string>

const CARRIED = Object.keys(CONFIGURATION) as (keyof typeof CONFIGURATION)[]

/** What a new collection on a server is to be: parameters of the index, embedding function and metadata of this one. */
export function carriedCollection(
  {parameterSources}: Collection,
  parameters: HnswParameters,
  {isPython, metadata, name}: {isPython: boolean; metadata: null | RecordMetadata; name: string},
): NewCollection {
  if (isPython) {
    return {configuration: {}, metadata: {...metadata, ...parameterMetadata(parameters)}, name}
  }

  const hnsw = configurationOf(parameters)
  const embeddingFunction = embeddingFunctionOf(parameterSources)
  return {
    configuration: {hnsw, ...(embeddingFunction && {embedding_function: embeddingFunction})},
    metadata,
    name,
  }
}

/** The space of a collection on a server, where it says so: in its configuration, or up to 0.6 in its metadata. */
export function spaceOf({
  configuration,
  metadata,
}: Pick<RemoteCollection, 'configuration' | 'metadata'>): Space {
  const index = (configuration.hnsw ?? configuration.spann) as null | undefined | {space?: unknown}
  const space = index?.space ?? metadata?.['hnsw:space']
  return space === 'cosine' || space === 'ip' ? space : 'l2'
}

/** As metadata of a collection or a segment. */
export function parameterMetadata(parameters: HnswParameters): RecordMetadata {
  const {batchSize, syncThreshold} = parameters
  // The Python engines refuse an index whose batches are larger than the threshold at which it is written.
  const fitting = {...parameters, batchSize: Math.min(batchSize, syncThreshold)}
  return Object.fromEntries(
    CARRIED.map((key) => {
      const value = fitting[key]
      return [METADATA[key], typeof value === 'number' && key !== 'resizeFactor' ? BigInt(value) : value]
    }),
  )
}

/** `collections.config_json_str` of a new collection, in the form of the directory's generation. */
export function configurationJson(
  {engine}: Pick<Generation, 'engine'>,
  parameters: HnswParameters,
  embeddingFunction: unknown,
): string {
  const {m, ...hnsw} = parameters
  if (engine === 'rust') {
    const index = JSON.stringify({hnsw: configurationOf(parameters)})
    return `{"vector_index":${index},"embedding_function":${exactJson(embeddingFunction ?? null)}}`
  }

  return JSON.stringify({
    hnsw_configuration: {
      space: hnsw.space,
      ef_construction: hnsw.constructionEf,
      ef_search: hnsw.searchEf,
      num_threads: hnsw.numThreads,
      M: m,
      resize_factor: hnsw.resizeFactor,
      batch_size: hnsw.batchSize,
      sync_threshold: hnsw.syncThreshold,
      _type: 'HNSWConfigurationInternal',
    },
    _type: 'CollectionConfigurationInternal',
  })
}

/** The parameters of a collection on a server; where it says nothing (a SPANN index, old releases), the defaults. */
export function parametersOf(remote: Pick<RemoteCollection, 'configuration' | 'metadata'>): HnswParameters {
  const {hnsw} = remote.configuration as {hnsw?: null | Record<string, unknown>}
  const entries = CARRIED.map((key) => {
    const given = hnsw?.[CONFIGURATION[key]] ?? remote.metadata?.[METADATA[key]] ?? undefined
    return [key, typeof given === 'bigint' ? Number(given) : given] as const
  })
  const known = Object.fromEntries(entries.filter(([, value]) => value !== undefined))
  return {...rustDefaults(), ...known, space: spaceOf(remote)}
}

function configurationOf(parameters: HnswParameters): Record<string, number | string> {
  return Object.fromEntries(CARRIED.map((key) => [CONFIGURATION[key], parameters[key]]))
}

interface VectorColumn {
  float_list?: {vector_index?: {config?: {embedding_function?: unknown}}}
}

/** `{"type": "known", "name", "config"}`, from the schema (1.3 and later) or the configuration (from 1.0). */
function embeddingFunctionOf({configJson, schemaJson}: Collection['parameterSources']): object | undefined {
  const schema = parse(schemaJson) as
    undefined | {defaults?: VectorColumn; keys?: Record<string, VectorColumn>}
  const column = schema?.keys?.['#embedding'] ?? schema?.defaults
  const found =
    column?.float_list?.vector_index?.config?.embedding_function ??
    (parse(configJson) as undefined | {embedding_function?: unknown})?.embedding_function
  const isKnown = typeof found === 'object' && found !== null && Reflect.get(found, 'type') === 'known'
  return isKnown ? found : undefined
}

function parse(json: null | string): unknown {
  return json === null || json.trim() === '' ? undefined : ((JSON.parse(json) as unknown) ?? undefined)
}
