import {
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  encodeSeqId,
  hasColumn,
  keepsVectorSeqIdInTable,
} from '@chops/core/catalog'
import type {PersistDir} from '@chops/core/persist-dir'
import type {SqlValue} from '@chops/core/sqlite'
import {randomUUID} from 'node:crypto'

import {SEGMENT_TYPES} from '../format/contents.js'
import type {Snapshot} from '../format/open.js'
import type {Conversion} from './conversion.js'
import type {Identifiers} from './identifiers.js'
import type {LogPositions} from './log-positions.js'
import {SNAPSHOT} from './insert-records.js'
import type {RestoreTarget} from './target.js'

export interface InsertOptions {
  conversion: Conversion
  ids: Identifiers
  /** Whether the vector segment has an index. */
  isPersisted: boolean
  positions: LogPositions
  target: RestoreTarget
  /** Of the collection in the directory. */
  topic: string
}

const DEFAULT_DATABASE_ID = '00000000-0000-0000-0000-000000000000'

/**
 * Inserts a collection from the attached snapshot, all but its records, in the caller's transaction and in the form that
 * the directory's generation has. Log rows get the numbers after the end of the log.
 */
export async function insertCollectionRows(
  dir: PersistDir,
  snapshot: Snapshot,
  options: InsertOptions,
): Promise<void> {
  await insertCollection(dir, snapshot, options)
  await insertSegments(dir, options)
  await insertOwnMetadata(dir, snapshot, options.ids)
  await insertLog(dir, options)
}

async function insertCollection(
  {db}: PersistDir,
  {collection}: Snapshot,
  {conversion: {configJson, schemaJson}, ids: {collectionId}, target, topic}: InsertOptions,
): Promise<void> {
  const database = await findOrCreateDatabase({db}, target)
  const columns: Record<string, SqlValue> = {
    config_json_str: configJson,
    database_id: database,
    dimension: collection.dimension,
    id: collectionId,
    name: target.name,
    schema_str: schemaJson,
    topic,
  }
  await insert({db}, 'collections', columns)
}

async function insertSegments(
  dir: PersistDir,
  {ids: {collectionId, metadataId, vectorId}, isPersisted, positions, topic}: InsertOptions,
): Promise<void> {
  const {db, generation} = dir
  const segments = [
    {id: vectorId, scope: 'VECTOR'},
    {id: metadataId, scope: 'METADATA'},
  ] as const
  for (const {id, scope} of segments) {
    await insert(dir, 'segments', {collection: collectionId, id, scope, topic, type: SEGMENT_TYPES[scope]})
  }

  const applied: [string, number | undefined][] = [
    [metadataId, positions.metadata],
    [vectorId, isPersisted && keepsVectorSeqIdInTable(generation) ? positions.vector : undefined],
  ]
  for (const [id, seqId] of applied) {
    if (seqId === undefined) continue
    const value = encodeSeqId(generation, seqId)
    await db.run('INSERT INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)', [id, value])
  }
}

/** `collection_metadata` and `segment_metadata`, whose booleans an older schema has no column for. */
async function insertOwnMetadata(
  {db}: PersistDir,
  {collection}: Snapshot,
  {collectionId, metadataId, vectorId}: Identifiers,
): Promise<void> {
  const owners = [
    ['collection_metadata', 'collection_id', collection.id, collectionId],
    ['segment_metadata', 'segment_id', collection.vector.id, vectorId],
    ['segment_metadata', 'segment_id', collection.metadata.id, metadataId],
  ] as const
  for (const [table, owner, oldId, newId] of owners) {
    const values = ['key', 'str_value', 'int_value', 'float_value']
    if (await hasColumn(db, table, 'bool_value')) values.push('bool_value')
    await db.run(
      `INSERT INTO main.${table} (${owner}, ${values.join(', ')})
       SELECT ?, ${values.join(', ')} FROM ${SNAPSHOT}.${table} WHERE ${owner} = ? ORDER BY rowid`,
      [newId, oldId],
    )
  }
}

async function insertLog({db}: PersistDir, {positions, topic}: InsertOptions): Promise<void> {
  await db.run(
    `INSERT INTO main.embeddings_queue (seq_id, created_at, operation, topic, id, vector, encoding, metadata)
     SELECT ? + ROW_NUMBER() OVER (ORDER BY seq_id), created_at, operation, ?, id, vector, encoding, metadata
     FROM ${SNAPSHOT}.embeddings_queue ORDER BY seq_id`,
    [positions.base, topic],
  )
}

async function findOrCreateDatabase(
  {db}: Pick<PersistDir, 'db'>,
  {database, tenant}: RestoreTarget,
): Promise<string> {
  await db.run('INSERT OR IGNORE INTO tenants (id) VALUES (?)', [tenant])
  const found = await db.get<{id: string}>('SELECT id FROM databases WHERE tenant_id = ? AND name = ?', [
    tenant,
    database,
  ])
  if (found) return found.id
  const isDefault = tenant === DEFAULT_TENANT && database === DEFAULT_DATABASE
  const id = isDefault ? DEFAULT_DATABASE_ID : randomUUID()
  await db.run('INSERT INTO databases (id, name, tenant_id) VALUES (?, ?, ?)', [id, database, tenant])
  return id
}

/** Inserts a row, without the columns that this generation does not have. */
async function insert(
  {db}: Pick<PersistDir, 'db'>,
  table: string,
  values: Record<string, SqlValue>,
): Promise<void> {
  const columns: string[] = []
  for (const column of Object.keys(values)) if (await hasColumn(db, table, column)) columns.push(column)
  await db.run(
    `INSERT INTO main.${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    columns.map((column) => values[column] ?? null),
  )
}
