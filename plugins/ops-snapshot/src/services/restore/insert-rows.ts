import {
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  encodeSeqId,
  hasColumn,
  keepsVectorSeqIdInTable,
  TOPIC_PREFIX,
} from '@chops/core/catalog'
import type {PersistDir} from '@chops/core/persist-dir'
import type {SqlValue} from '@chops/core/sqlite'
import {randomUUID} from 'node:crypto'

import {SEGMENT_TYPES} from '../format/contents.js'
import type {Snapshot} from '../format/open.js'
import type {Conversion} from './conversion.js'
import type {Identifiers} from './identifiers.js'
import type {LogPositions} from './log-positions.js'
import type {RestoreTarget} from './target.js'

export interface InsertOptions {
  conversion: Conversion
  ids: Identifiers
  /** Whether the vector segment has an index. */
  isPersisted: boolean
  positions: LogPositions
  target: RestoreTarget
}

/** Name under which the snapshot is attached to the directory's database. */
export const SNAPSHOT = 'snapshot'

const DEFAULT_DATABASE_ID = '00000000-0000-0000-0000-000000000000'

/**
 * Inserts a collection from the attached snapshot, in the caller's transaction, in the form that the directory's
 * generation has. Records get numbers above all that the directory ever gave out, log rows those after its end.
 */
export async function insertRows(dir: PersistDir, snapshot: Snapshot, options: InsertOptions): Promise<void> {
  await insertCollection(dir, snapshot, options)
  await insertSegments(dir, options)
  await insertOwnMetadata(dir, snapshot, options.ids)
  await insertRecords(dir, snapshot, options)
  await insertLog(dir, options)
}

async function insertCollection(
  {db}: PersistDir,
  {collection}: Snapshot,
  {conversion: {configJson, schemaJson}, ids: {collectionId}, target}: InsertOptions,
): Promise<void> {
  const database = await findOrCreateDatabase({db}, target)
  const columns: Record<string, SqlValue> = {
    config_json_str: configJson,
    database_id: database,
    dimension: collection.dimension,
    id: collectionId,
    name: target.name,
    schema_str: schemaJson,
    topic: `${TOPIC_PREFIX}${collectionId}`,
  }
  await insert({db}, 'collections', columns)
}

async function insertSegments(
  dir: PersistDir,
  {ids: {collectionId, metadataId, vectorId}, isPersisted, positions}: InsertOptions,
): Promise<void> {
  const {db, generation} = dir
  const segments = [
    {id: vectorId, scope: 'VECTOR'},
    {id: metadataId, scope: 'METADATA'},
  ] as const
  for (const {id, scope} of segments) {
    const topic = `${TOPIC_PREFIX}${collectionId}`
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

async function insertRecords(
  {db, generation}: PersistDir,
  {layout}: Snapshot,
  {ids: {metadataId}, positions}: InsertOptions,
): Promise<void> {
  const shift = await recordShift({db})
  // The number is that of a record's last write; which write of all those that are applied, no engine asks.
  const seqId = encodeSeqId(generation, positions.metadata ?? 0)
  await db.run(
    `INSERT INTO main.embeddings (id, segment_id, embedding_id, seq_id, created_at)
     SELECT id + ?, ?, embedding_id, ?, created_at FROM ${SNAPSHOT}.embeddings ORDER BY id`,
    [shift, metadataId, seqId],
  )
  await insertMetadata({db}, 'embedding_metadata', 'id, key', shift)
  // The elements of a list come in the order in which they stand.
  const hasLists = layout === 'chops' && (await hasColumn(db, 'embedding_metadata_array', 'id'))
  if (hasLists) await insertMetadata({db}, 'embedding_metadata_array', 'rowid', shift)

  await db.run(
    `INSERT INTO main.embedding_fulltext_search (rowid, string_value)
     SELECT id + ?, string_value FROM ${SNAPSHOT}.embedding_metadata
     WHERE key = 'chroma:document' AND string_value IS NOT NULL ORDER BY id`,
    [shift],
  )
}

async function insertLog({db}: PersistDir, {ids: {collectionId}, positions}: InsertOptions): Promise<void> {
  await db.run(
    `INSERT INTO main.embeddings_queue (seq_id, created_at, operation, topic, id, vector, encoding, metadata)
     SELECT ? + ROW_NUMBER() OVER (ORDER BY seq_id), created_at, operation, ?, id, vector, encoding, metadata
     FROM ${SNAPSHOT}.embeddings_queue ORDER BY seq_id`,
    [positions.base, `${TOPIC_PREFIX}${collectionId}`],
  )
}

/**
 * What is added to the numbers of records. Not only those in use count: rows that a deleted collection left behind
 * (Chroma forgets the arrays of metadata) would become part of a new record of their number.
 */
async function recordShift({db}: Pick<PersistDir, 'db'>): Promise<number> {
  const tables = ['embeddings', 'embedding_metadata', 'embedding_fulltext_search_content']
  if (await hasColumn(db, 'embedding_metadata_array', 'id')) tables.push('embedding_metadata_array')
  const largest = tables.map((table) => `(SELECT MAX(id) FROM main.${table})`)
  const row = await db.get<{first: null | number; last: number}>(
    `SELECT MAX(0, ${largest.map((sql) => `COALESCE(${sql}, 0)`).join(', ')}) AS last,
            (SELECT MIN(id) FROM ${SNAPSHOT}.embeddings) AS first`,
  )
  return (row?.last ?? 0) + 1 - (row?.first ?? 1)
}

async function insertMetadata(
  {db}: Pick<PersistDir, 'db'>,
  table: string,
  order: string,
  shift: number,
): Promise<void> {
  const values = 'key, string_value, int_value, float_value, bool_value'
  await db.run(
    `INSERT INTO main.${table} (id, ${values}) SELECT id + ?, ${values} FROM ${SNAPSHOT}.${table} ORDER BY ${order}`,
    [shift],
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
