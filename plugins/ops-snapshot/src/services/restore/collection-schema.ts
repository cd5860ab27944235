/** The parts of `collections.schema_str` that matter here (`rust/types/src/collection_schema.rs`). */
interface ValueTypes {
  bool?: {bool_inverted_index?: Index}
  float?: {float_inverted_index?: Index}
  float_list?: {vector_index?: Index & {config?: VectorConfig}}
  int?: {int_inverted_index?: Index}
  sparse_vector?: {sparse_vector_index?: Index}
  string?: {fts_index?: Index; string_inverted_index?: Index}
}

interface Index {
  enabled?: boolean
}

interface VectorConfig {
  embedding_function?: unknown
  hnsw?: unknown
  spann?: unknown
}

interface CollectionSchema {
  defaults?: ValueTypes
  keys?: Record<string, ValueTypes>
}

const DOCUMENT = '#document'
const EMBEDDING = '#embedding'

/**
 * What a schema asks for beyond the parameters of an HNSW index, which is all that Chroma before 1.3 can be told.
 *
 * @returns undefined when that is all, or there is no schema
 */
export function foreignPartOf(schemaJson: null | string): string | undefined {
  const schema = parse(schemaJson)
  if (!schema) return undefined
  for (const [key, types] of Object.entries({...schema.keys, '': schema.defaults ?? {}})) {
    const config = types.float_list?.vector_index?.config
    if (config?.spann) return 'a SPANN index'
    if (types.sparse_vector?.sparse_vector_index?.enabled) return 'a sparse vector index'
    const isVector = types.float_list?.vector_index?.enabled ?? false
    if (isVector && key !== EMBEDDING) return `a vector index of the key ${JSON.stringify(key)}`
    if (switched(key, types)) return `an index that was switched on or off (key ${JSON.stringify(key)})`
  }

  return undefined
}

/** `config_json_str` of 1.0 to 1.2 for a schema that is nothing but HNSW; the parameters are written into it later. */
export function configOf(schemaJson: string): string {
  const schema = parse(schemaJson)
  const types = schema?.keys?.[EMBEDDING] ?? schema?.defaults
  const embeddingFunction = types?.float_list?.vector_index?.config?.embedding_function
  return JSON.stringify({
    vector_index: {hnsw: {}},
    ...(embeddingFunction !== undefined && {embedding_function: embeddingFunction}),
  })
}

/** Whether an index of metadata or documents is not what Chroma has by default. */
function switched(key: string, {bool, float, int, string}: ValueTypes): boolean {
  const isDocument = key === DOCUMENT
  const wrong = (index: Index | undefined, enabled: boolean): boolean =>
    index?.enabled !== undefined && index.enabled !== enabled
  return (
    wrong(string?.fts_index, isDocument) ||
    wrong(string?.string_inverted_index, !isDocument) ||
    wrong(int?.int_inverted_index, true) ||
    wrong(float?.float_inverted_index, true) ||
    wrong(bool?.bool_inverted_index, true)
  )
}

/** That it is JSON is known since the parameters were read from it. */
function parse(schemaJson: null | string): CollectionSchema | undefined {
  const value: unknown = schemaJson === null || schemaJson.trim() === '' ? null : JSON.parse(schemaJson)
  return typeof value === 'object' && value !== null ? value : undefined
}
