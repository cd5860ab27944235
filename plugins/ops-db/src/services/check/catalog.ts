import {counted} from '@chops/core/output'
import {type HnswParameters, hnswParametersOf, readHnswParameters, rustDefaults} from '@chops/core/catalog'
import {ChopsError} from '@chops/core/errors'

import {asPersistDir, type CheckContext} from './context.js'
import {type CollectionFacts, hasAllSegments} from './facts.js'
import {byFix} from './finding.js'
import {listText} from './list-text.js'

/** Y1 to Y7: tenants, databases, collections, segments and their parameters. */
export async function checkCatalog(context: CheckContext): Promise<void> {
  const {facts, findings, path} = context
  const ids = new Set(facts.collections.map(({id}) => id))
  const strays = facts.segments.filter(({collectionId}) => !ids.has(collectionId ?? ''))
  if (strays.length > 0) {
    const names = listText(strays.map(({id}) => id))
    const message = `${counted(strays.length, 'segment')} belong to no collection: ${names}.`
    findings.add('Y1', message, hasAllSegments(facts) ? byFix(path) : {})
  }

  for (const collection of context.selected) {
    checkSegments(context, collection)
    await checkParameters(context, collection)
    await findings.guard('Y6', 'The dimension', () => checkDimension(context, collection), collection)
  }

  for (const collection of facts.collections.filter(({hasDatabase}) => !hasDatabase)) {
    const message = `Its database ${collection.databaseId} or that database's tenant does not exist, so that no client can reach it.`
    findings.add('Y3', message, {collection, ...byFix(path)})
  }

  await findings.guard('Y4', 'Rows without an owner', () => checkOwners(context))
}

function checkSegments({findings}: CheckContext, collection: CollectionFacts): void {
  for (const [scope, count] of [
    ['METADATA', collection.metadataSegments],
    ['VECTOR', collection.vectorSegments],
  ] as const) {
    if (count === 1) continue
    const message =
      count === 0
        ? `It has no ${scope} segment, and every call on it fails. Restore chroma.sqlite3 from a backup.`
        : `It has ${count} ${scope} segments instead of one; which one Chroma takes is left to chance.`
    findings.add('Y2', message, {collection})
  }
}

/** Y5 and Y7. */
async function checkParameters(context: CheckContext, collection: CollectionFacts): Promise<void> {
  const {findings, generation, path} = context
  const {configJson, schemaJson, segmentMetadata} = collection.parameterSources
  try {
    const isRust = generation.engine === 'rust'
    for (const [column, json] of [
      ['config_json_str', configJson],
      ['schema_str', schemaJson],
    ] as const) {
      requireObject(column, json)
    }

    hnswParametersOf(asPersistDir(context), collection)
    if (!isRust || Object.keys(segmentMetadata).length === 0) return
    const sources = {configJson, schemaJson, segmentMetadata: {}}
    const counting = readHnswParameters(generation, sources, collection.name)
    if (isDefault(counting)) return
    const nothing = {configJson: null, schemaJson: null, segmentMetadata}
    const left = readHnswParameters(generation, nothing, collection.name)
    const differing = comparable(left).filter(
      (key) => left[key] !== rustDefaults()[key] && left[key] !== counting[key],
    )
    if (differing.length > 0) {
      const names = differing.map((key) => `${key} ${left[key]} instead of ${counting[key]}`)
      const message = `An older engine left other parameters in the metadata of its segment than those that count: ${listText(names)}.`
      findings.add('Y7', message, {collection, ...byFix(path)})
    }
  } catch (error) {
    if (!(error instanceof ChopsError || error instanceof TypeError)) throw error
    const message = `Its configuration cannot be read (${error.message.replace(/\.$/, '')}), and then Chroma lists no collection at all. Restore chroma.sqlite3 from a backup; the parameters of the index itself are in "chops hnsw info".`
    findings.add('Y5', message, {collection})
  }
}

function requireObject(column: string, json: null | string): void {
  if (json === null || json.trim() === '' || json.trim() === 'null') return
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new ChopsError('damaged', `${column} is not JSON`, {cause: error})
  }

  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ChopsError('damaged', `${column} is no JSON object`)
}

function isDefault(parameters: HnswParameters): boolean {
  const defaults = rustDefaults()
  return comparable(defaults).every((key) => parameters[key] === defaults[key])
}

/** The default number of threads is that of the machine at hand: it says nothing. */
function comparable(parameters: HnswParameters): (keyof HnswParameters)[] {
  return (Object.keys(parameters) as (keyof HnswParameters)[]).filter((key) => key !== 'numThreads')
}

async function checkDimension(
  {db, findings, path}: CheckContext,
  collection: CollectionFacts,
): Promise<void> {
  if (collection.dimension !== null) return
  const logged = await db.get<{bytes: number}>(
    'SELECT length(vector) AS bytes FROM embeddings_queue WHERE topic = ? AND vector IS NOT NULL LIMIT 1',
    [collection.topic],
  )
  const record = await db.get('SELECT 1 FROM embeddings WHERE segment_id = ? LIMIT 1', [
    collection.metadataSegment?.id ?? '',
  ])
  if (!logged && !record) return
  const message =
    'It has records but no dimension: Chroma 1.x then never applies its log, and every new record stays invisible.'
  findings.add('Y6', message, {collection, ...byFix(path)})
}

/** Y4: engines up to 0.6 leave these rows behind when they delete a collection; they cost a few bytes and nothing else. */
async function checkOwners({db, findings, path}: CheckContext): Promise<void> {
  const row = await db.get<{collections: number; positions: number; segments: number}>(
    `SELECT (SELECT COUNT(*) FROM collection_metadata WHERE collection_id NOT IN (SELECT id FROM collections)) AS collections,
            (SELECT COUNT(*) FROM segment_metadata WHERE segment_id NOT IN (SELECT id FROM segments)) AS segments,
            (SELECT COUNT(*) FROM max_seq_id WHERE segment_id NOT IN (SELECT id FROM segments)) AS positions`,
  )
  const {collections = 0, positions = 0, segments = 0} = row ?? {}
  findings.count(
    'Y4',
    collections + positions + segments,
    () =>
      `Deleted collections left ${counted(collections, 'row')} of collection metadata, ${counted(segments, 'row')} of segment metadata and ${counted(positions, 'log position')} behind.`,
    byFix(path),
  )
}
