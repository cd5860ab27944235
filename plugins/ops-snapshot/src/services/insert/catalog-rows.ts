import {
  DEFAULT_DATABASE,
  DEFAULT_TENANT,
  hasColumn,
  SEGMENT_TYPES,
  type SegmentScope,
} from '@chops/core/catalog'
import type {Database, SqlValue} from '@chops/core/sqlite'
import {randomUUID} from 'node:crypto'

import {insertRows} from './insert-rows.js'

/** A collection as the catalog holds it. */
export interface CatalogRows {
  /** Left out where this generation has no column for it, as the schema and the topic are. */
  configJson: null | string
  dimension: null | number
  id: string
  name: string
  place: {database: string; tenant: string}
  schemaJson: null | string
  segmentIds: Record<SegmentScope, string>
  topic: string
}

/** The id that Chroma's own migration gives it. */
const DEFAULT_DATABASE_ID = '00000000-0000-0000-0000-000000000000'

/** Inserts a collection with its two segments, and its tenant and database where they are not there yet. */
export async function insertCatalogRows(db: Database, rows: CatalogRows): Promise<void> {
  const {id, segmentIds, topic} = rows
  await insertRow(db, 'collections', {
    config_json_str: rows.configJson,
    database_id: await findOrCreateDatabase(db, rows.place),
    dimension: rows.dimension,
    id,
    name: rows.name,
    schema_str: rows.schemaJson,
    topic,
  })
  for (const scope of ['VECTOR', 'METADATA'] as const) {
    const segment = {collection: id, id: segmentIds[scope], scope, topic, type: SEGMENT_TYPES[scope]}
    await insertRow(db, 'segments', segment)
  }
}

async function findOrCreateDatabase(db: Database, {database, tenant}: CatalogRows['place']): Promise<string> {
  await db.run('INSERT OR IGNORE INTO tenants (id) VALUES (?)', [tenant])
  const found = await db.get<{id: string}>('SELECT id FROM databases WHERE tenant_id = ? AND name = ?', [
    tenant,
    database,
  ])
  if (found) return found.id
  const isDefault = tenant === DEFAULT_TENANT && database === DEFAULT_DATABASE
  const id = isDefault ? DEFAULT_DATABASE_ID : randomUUID()
  await insertRow(db, 'databases', {id, name: database, tenant_id: tenant})
  return id
}

/** Inserts a row, without the columns that this generation does not have. */
export async function insertRow(
  db: Database,
  table: string,
  values: Record<string, SqlValue>,
): Promise<void> {
  const columns: string[] = []
  for (const column of Object.keys(values)) if (await hasColumn(db, table, column)) columns.push(column)
  await insertRows(db, table, columns, [columns.map((column) => values[column] ?? null)])
}
