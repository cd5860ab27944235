import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {Collection} from './catalog.js'

import {findCollection, hnswParametersOf} from './catalog.js'
import {HNSW_METADATA_KEYS, type HnswParameters, rustDefaults} from './hnsw-parameters.js'

type Json = Record<string, unknown>

/** The names that `config_json_str` and `schema_str` have for parameters; the space lies beside them in a schema. */
const JSON_NAMES = {
  batchSize: 'batch_size',
  constructionEf: 'ef_construction',
  m: 'max_neighbors',
  numThreads: 'num_threads',
  resizeFactor: 'resize_factor',
  searchEf: 'ef_search',
  syncThreshold: 'sync_threshold',
} as const satisfies Partial<Record<keyof HnswParameters, string>>

/**
 * Writes changed parameters where the engine of this directory reads them, and reads them back. To be called inside a
 * transaction, after the segment got its final id.
 *
 * The Rust engines fall back on the segment's `hnsw:*` metadata when their own configuration comes out as the defaults,
 * so rows that an older engine left there are kept in step.
 *
 * @param owner the collection by its id; it is read in this transaction
 * @param segmentId the vector segment as it is called now
 */
export async function writeHnswParameters(
  dir: PersistDir,
  owner: Pick<Collection, 'id'>,
  segmentId: string,
  changed: Partial<HnswParameters>,
): Promise<void> {
  if (Object.keys(changed).length === 0) return
  const collection = await findCollection(dir, owner)
  const wanted = {...hnswParametersOf(dir, collection), ...changed}
  await (dir.generation.engine === 'rust'
    ? writeConfiguration(dir, collection, wanted, changed)
    : insertSegmentMetadata(dir, segmentId, changed))
  await updateMetadataRows(dir, 'segment_metadata', segmentId, wanted)
  await updateMetadataRows(dir, 'collection_metadata', collection.id, wanted)

  const found = hnswParametersOf(dir, await findCollection(dir, owner))
  for (const key of keysOf(changed)) {
    if (found[key] !== wanted[key])
      throw new Error(`${key} reads back as ${found[key]} instead of ${wanted[key]}`)
  }
}

/** Up to 0.6.3: rows of the segment are all that counts. */
async function insertSegmentMetadata(
  {db}: PersistDir,
  segmentId: string,
  changed: Partial<HnswParameters>,
): Promise<void> {
  for (const key of keysOf(changed)) {
    await db.run('INSERT OR IGNORE INTO segment_metadata (segment_id, key) VALUES (?, ?)', [
      segmentId,
      HNSW_METADATA_KEYS[key],
    ])
  }
}

/** Makes the `hnsw:*` rows that a segment has say what these parameters say; rows that it lacks are not added. */
export async function writeMetadataParameters(
  dir: PersistDir,
  segmentId: string,
  parameters: HnswParameters,
): Promise<void> {
  await updateMetadataRows(dir, 'segment_metadata', segmentId, parameters)
}

async function updateMetadataRows(
  {db}: PersistDir,
  table: 'collection_metadata' | 'segment_metadata',
  owner: string,
  parameters: HnswParameters,
): Promise<void> {
  const column = table === 'collection_metadata' ? 'collection_id' : 'segment_id'
  for (const key of keysOf(parameters)) {
    const value = parameters[key]
    const [text, integer, real] =
      key === 'space'
        ? [value, null, null]
        : key === 'resizeFactor'
          ? [null, null, value]
          : [null, value, null]
    await db.run(
      `UPDATE ${table} SET str_value = ?, int_value = ?, float_value = ? WHERE ${column} = ? AND key = ?`,
      [text, integer, real, owner, HNSW_METADATA_KEYS[key]],
    )
  }
}

/** From 1.3 `schema_str` where there is one, otherwise `config_json_str`. */
async function writeConfiguration(
  {db}: PersistDir,
  {id, parameterSources: {configJson, schemaJson}}: Collection,
  wanted: HnswParameters,
  changed: Partial<HnswParameters>,
): Promise<void> {
  // Not the changed values alone: while a configuration says nothing but defaults, the engine takes those that an older
  // engine left in the metadata, and they would be lost with the first value that differs.
  const defaults = rustDefaults()
  const hnsw = jsonOf(
    Object.fromEntries(
      keysOf(wanted)
        .filter((key) => key in changed || wanted[key] !== defaults[key])
        .map((key) => [key, wanted[key]]),
    ),
  )
  const schema = parseObject(schemaJson)
  if (schema) {
    const columns = [objectAt(schema, 'defaults'), objectAt(schema, 'keys', '#embedding')]
    for (const column of columns) {
      const config = objectAt(column, 'float_list', 'vector_index', 'config')
      if (config)
        Object.assign(config, {hnsw: {...(config.hnsw as Json | null), ...hnsw}, space: wanted.space})
    }

    await db.run('UPDATE collections SET schema_str = ? WHERE id = ?', [JSON.stringify(schema), id])
    return
  }

  const config = parseObject(configJson) ?? {}
  const old = objectAt(config, 'vector_index', 'hnsw')
  config.vector_index = {hnsw: {...old, ...hnsw, space: wanted.space}}
  await db.run('UPDATE collections SET config_json_str = ? WHERE id = ?', [JSON.stringify(config), id])
}

function jsonOf(parameters: {[K in keyof HnswParameters]?: HnswParameters[K] | undefined}): Json {
  const names = Object.entries(JSON_NAMES) as [keyof typeof JSON_NAMES, string][]
  return Object.fromEntries(
    names.filter(([key]) => parameters[key] !== undefined).map(([key, name]) => [name, parameters[key]]),
  )
}

function parseObject(json: null | string): Json | undefined {
  const value: unknown = json === null || json.trim() === '' ? null : JSON.parse(json)
  return isObject(value) ? value : undefined
}

function objectAt(from: Json | undefined, ...path: string[]): Json | undefined {
  let value: unknown = from
  for (const name of path) value = isObject(value) ? value[name] : undefined
  return isObject(value) ? value : undefined
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function keysOf(parameters: Partial<HnswParameters>): (keyof HnswParameters)[] {
  return Object.keys(parameters) as (keyof HnswParameters)[]
}
