import type {PersistDir} from '../persist-dir/persist-dir.js'

import {damaged, notFound} from '../errors.js'
import {type HnswParameters, type ParameterSources, readHnswParameters} from './hnsw-parameters.js'
import {hasColumn, type Metadata, readMetadata} from './metadata.js'
import {decodeSeqId, seqIdText} from './seq-id.js'
import {readTopicPrefix} from './topic.js'

/** A row of `segments` with its own row of `max_seq_id`. */
export interface Segment {
  collectionId: null | string
  id: string
  /** The newest log row this segment has applied, from the table; absent when it has no row there. */
  maxSeqId: number | undefined
  scope: string
  type: string
}

/** A collection with where it lives and what Chroma keeps about it. */
export interface Collection {
  database: string
  dimension: null | number
  id: string
  metadata: Metadata | null
  /** The METADATA segment: records and documents in SQLite. */
  metadataSegment: Segment | undefined
  name: string
  parameterSources: ParameterSources
  tenant: string
  /** The log's topic for this collection. */
  topic: string
  /** The VECTOR segment: the HNSW folder. */
  vectorSegment: Segment | undefined
}

/** Everything the system tables of a directory say, over all tenants and databases. */
export interface Catalog {
  /** By tenant (`default_tenant` first), database (`default_database` first) and name. */
  collections: Collection[]
  segments: Segment[]
}

/** The type of each segment of a collection; the same in all generations of the local Chroma. */
export const SEGMENT_TYPES = {
  METADATA: 'urn:chroma:segment/metadata/sqlite',
  VECTOR: 'urn:chroma:segment/vector/hnsw-local-persisted',
} as const

export type SegmentScope = keyof typeof SEGMENT_TYPES

export const DEFAULT_TENANT = 'default_tenant'
export const DEFAULT_DATABASE = 'default_database'

interface CollectionRow {
  config_json_str: null | string
  database: string
  dimension: null | number
  id: string
  name: string
  schema_str: null | string
  tenant: string
}

/** Reads the catalog of an open directory: a few small queries, whatever the size of the collections. */
export async function readCatalog(dir: PersistDir): Promise<Catalog> {
  const {db} = dir
  const topicPrefix = await readTopicPrefix(dir)
  const segments = await readSegments(db)
  const collectionMetadata = await readMetadata(db, 'collection_metadata')
  const segmentMetadata = await readMetadata(db, 'segment_metadata')
  const optional = async (column: string): Promise<string> =>
    (await hasColumn(db, 'collections', column)) ? `c.${column}` : 'NULL'
  const rows = await db.all<CollectionRow>(
    `SELECT c.id, c.name, c.dimension, d.name AS database, d.tenant_id AS tenant,
            ${await optional('config_json_str')} AS config_json_str, ${await optional('schema_str')} AS schema_str
     FROM collections c JOIN databases d ON d.id = c.database_id
     ORDER BY d.tenant_id <> '${DEFAULT_TENANT}', d.tenant_id, d.name <> '${DEFAULT_DATABASE}', d.name, c.name`,
  )
  const collections = rows.map((row) => {
    const own = segments.filter((segment) => segment.collectionId === row.id)
    const vectorSegment = own.find((segment) => segment.scope === 'VECTOR')
    return {
      database: row.database,
      dimension: row.dimension,
      id: row.id,
      metadata: collectionMetadata.get(row.id) ?? null,
      metadataSegment: own.find((segment) => segment.scope === 'METADATA'),
      name: row.name,
      parameterSources: {
        configJson: row.config_json_str,
        schemaJson: row.schema_str,
        segmentMetadata: (vectorSegment && segmentMetadata.get(vectorSegment.id)) ?? {},
      },
      tenant: row.tenant,
      topic: `${topicPrefix}${row.id}`,
      vectorSegment,
    }
  })
  return {collections, segments}
}

/**
 * The collection with this id as the directory has it now: what was read before a question or before the write lock may
 * be out of date.
 *
 * @throws ChopsError `not-found` when it is gone
 */
export async function findCollection(dir: PersistDir, {id}: Pick<Collection, 'id'>): Promise<Collection> {
  const {collections} = await readCatalog(dir)
  const found = collections.find((collection) => collection.id === id)
  if (found) return found
  throw notFound(`There is no collection with the id ${id} in ${dir.databaseFile} any more.`, {
    file: dir.databaseFile,
    next: 'Another program deleted it meanwhile; run the command again.',
  })
}

/**
 * The VECTOR segment, which every engine makes together with the collection.
 *
 * @throws ChopsError `damaged` when there is none
 */
export function vectorSegmentOf({databaseFile}: PersistDir, {name, vectorSegment}: Collection): Segment {
  if (vectorSegment) return vectorSegment
  throw damaged(`Collection ${name} has no vector segment in ${databaseFile}.`, {
    file: databaseFile,
    next: 'Restore chroma.sqlite3 from a backup.',
  })
}

/** The HNSW parameters the directory's own engine uses for the collection. */
export function hnswParametersOf({generation}: PersistDir, collection: Collection): HnswParameters {
  return readHnswParameters(generation, collection.parameterSources, collection.name)
}

async function readSegments(db: PersistDir['db']): Promise<Segment[]> {
  const rows = await db.all<{
    collection: null | string
    id: string
    scope: string
    seq_id: null | string
    type: string
  }>(
    `SELECT s.id, s.type, s.scope, s.collection, ${seqIdText('m.seq_id')} AS seq_id
     FROM segments s LEFT JOIN max_seq_id m ON m.segment_id = s.id ORDER BY s.id`,
  )
  return rows.map((row) => ({
    collectionId: row.collection,
    id: row.id,
    maxSeqId: decodeSeqId(row.seq_id),
    scope: row.scope,
    type: row.type,
  }))
}
