import type {HnswParameters} from '@chops/core/catalog'
import {type ChopsError, usage} from '@chops/core/errors'
import {type Generation, generationText, NEWEST_SCHEMA, reachesSchema} from '@chops/core/persist-dir'

import type {Snapshot} from '../format/open.js'
import {configOf, foreignPartOf} from './collection-schema.js'

/** What the rows of a collection become in a directory of another generation. */
export interface Conversion {
  configJson: null | string
  /** Parameters of the index that are to be written where the target's engine reads them. */
  parameters: Partial<HnswParameters>
  schemaJson: null | string
}

const BOOLEANS_IN_COLLECTION = 6
const SCHEMA_COLUMN = 10
const ARRAYS = 6

/**
 * Says how a collection comes into a directory of this generation. What an older engine left is taken along as it is: a
 * newer one reads it as in a directory that it upgraded. The other way round, only what the older engine can express.
 *
 * @throws ChopsError `usage` that names what the older engine has no place for
 */
export async function planConversion(snapshot: Snapshot, target: Generation): Promise<Conversion> {
  const {collection, generation: source, parameters, sources} = snapshot
  const verbatim = {configJson: collection.configJson, parameters: {}, schemaJson: collection.schemaJson}
  if (reachesSchema(target.schema, source.schema)) return verbatim
  if (!reachesSchema(NEWEST_SCHEMA, source.schema))
    throw refused(snapshot, target, 'a schema that this chops does not know')
  if (target.schema.metadb < ARRAYS && (await hasArrays(snapshot)))
    throw refused(snapshot, target, 'lists in its metadata')
  if (target.schema.sysdb < BOOLEANS_IN_COLLECTION && (await hasBooleans(snapshot)))
    throw refused(snapshot, target, 'a boolean in the metadata of the collection')
  const foreign = foreignPartOf(sources.schemaJson)
  if (target.schema.sysdb < SCHEMA_COLUMN && foreign !== undefined) throw refused(snapshot, target, foreign)
  if (source.engine === 'rust' && target.engine === 'python')
    return {configJson: null, parameters: forPython(parameters), schemaJson: null}
  if (target.schema.sysdb < SCHEMA_COLUMN && collection.schemaJson !== null)
    return {
      configJson: configOf(collection.schemaJson),
      parameters: withoutThreads(parameters),
      schemaJson: null,
    }
  return verbatim
}

/** The number of threads is one of the machine. */
function withoutThreads(parameters: HnswParameters): Partial<HnswParameters> {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => name !== 'numThreads'))
}

/** The Python engines refuse an index whose batches are larger than the threshold at which it is persisted. */
function forPython(parameters: HnswParameters): Partial<HnswParameters> {
  const {batchSize, syncThreshold} = parameters
  return {...withoutThreads(parameters), batchSize: Math.min(batchSize, syncThreshold)}
}

async function hasArrays({db, layout}: Snapshot): Promise<boolean> {
  if (layout === 'python') return false
  const inTable = await db.get('SELECT 1 FROM embedding_metadata_array LIMIT 1')
  if (inTable) return true
  const inLog = await db.get(
    `SELECT 1 FROM embeddings_queue q JOIN json_each(iif(json_valid(q.metadata), q.metadata, '{}')) j
     WHERE j.type IN ('array', 'object') LIMIT 1`,
  )
  return inLog !== undefined
}

async function hasBooleans({db}: Snapshot): Promise<boolean> {
  const row = await db.get(
    `SELECT 1 FROM (SELECT bool_value FROM collection_metadata UNION ALL SELECT bool_value FROM segment_metadata)
     WHERE bool_value IS NOT NULL LIMIT 1`,
  )
  return row !== undefined
}

function refused({file, generation}: Snapshot, target: Generation, what: string): ChopsError {
  return usage(
    `The snapshot ${file} is of Chroma ${generationText(generation)} and has ${what}, which a directory of Chroma ${generationText(target)} has no place for.`,
    {file, next: 'Restore it into a new directory, or one that a newer Chroma has opened.'},
  )
}
