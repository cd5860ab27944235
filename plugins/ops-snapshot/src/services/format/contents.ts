import {
  decodeSeqId,
  type Metadata,
  type MetadataValue,
  type ParameterSources,
  SEGMENT_TYPES,
  type SegmentScope,
  seqIdText,
} from '@chops/core/catalog'
import {type ChopsError, damaged} from '@chops/core/errors'
import {isUuid} from '@chops/core/persist-dir'
import type {Database} from '@chops/core/sqlite'

import type {Layout} from './layout.js'

/** The collection of a snapshot, as its small tables describe it. */
export interface SnapshotCollection {
  configJson: null | string
  database: string
  dimension: null | number
  id: string
  metadata: SegmentContents
  name: string
  schemaJson: null | string
  tenant: string
  vector: SegmentContents
}

export interface SegmentContents {
  id: string
  /** The newest log row that the segment has applied; absent when the table has no row for it. */
  maxSeqId: number | undefined
}

/** @throws ChopsError `damaged` unless the file holds one collection with its two segments */
export async function readContents(db: Database, layout: Layout): Promise<SnapshotCollection> {
  const schemaColumn = layout === 'chops' ? 'schema_str' : 'NULL'
  const rows = await db.all<CollectionRow>(
    `SELECT id, name, dimension, database_name, tenant_id, config_json_str, ${schemaColumn} AS schema_str
     FROM collections LIMIT 2`,
  )
  const [row] = rows
  if (!row || rows.length > 1) throw contradiction(db, 'does not hold exactly one collection')
  const texts = [row.id, row.name, row.database_name, row.tenant_id]
  const isNamed = texts.every((text) => typeof text === 'string' && text !== '') && isUuid(row.id)
  const {dimension} = row
  if (!isNamed || (dimension !== null && !(Number.isSafeInteger(dimension) && dimension > 0)))
    throw contradiction(db, 'has a collection without a sound id, name or dimension')
  const configurations = [row.config_json_str, row.schema_str]
  if (!configurations.every((text) => text === null || typeof text === 'string'))
    throw contradiction(db, 'has a configuration that is no text')
  return {
    configJson: row.config_json_str,
    database: row.database_name,
    dimension,
    id: row.id,
    metadata: await readSegment(db, row.id, 'METADATA'),
    name: row.name,
    schemaJson: row.schema_str,
    tenant: row.tenant_id,
    vector: await readSegment(db, row.id, 'VECTOR'),
  }
}

/** Where the generations keep the parameters of an index. */
export async function readParameterSources(
  db: Database,
  {configJson, schemaJson, vector}: SnapshotCollection,
): Promise<ParameterSources> {
  const rows = await db.all<{
    float_value: null | number
    int_value: null | number
    key: string
    str_value: null | string
  }>(
    "SELECT key, str_value, int_value, float_value FROM segment_metadata WHERE segment_id = ? AND key LIKE 'hnsw:%' LIMIT 100",
    [vector.id],
  )
  const segmentMetadata: Metadata = Object.fromEntries(
    rows.map(({float_value: float, int_value: int, key, str_value: text}): [string, MetadataValue] => [
      key,
      text ?? int ?? float,
    ]),
  )
  return {configJson, schemaJson, segmentMetadata}
}

/** What is wrong with the content of a file that SQLite can read. */
export function contradiction({file}: Pick<Database, 'file'>, what: string): ChopsError {
  return damaged(`${file} ${what}: it is not a snapshot that can be restored.`, {
    file,
    next: 'Take the snapshot again, or use another copy of it.',
  })
}

interface CollectionRow {
  config_json_str: null | string
  database_name: string
  dimension: null | number
  id: string
  name: string
  schema_str: null | string
  tenant_id: string
}

async function readSegment(
  db: Database,
  collectionId: string,
  scope: SegmentScope,
): Promise<SegmentContents> {
  const rows = await db.all<{collection: string; id: string; seq_id: null | string; type: string}>(
    `SELECT s.id, s.type, s.collection, ${seqIdText('m.seq_id')} AS seq_id
     FROM segments s LEFT JOIN max_seq_id m ON m.segment_id = s.id WHERE s.scope = ? LIMIT 2`,
    [scope],
  )
  const [row] = rows
  const isSound =
    row &&
    rows.length === 1 &&
    row.type === SEGMENT_TYPES[scope] &&
    row.collection === collectionId &&
    isUuid(row.id)
  if (!isSound) throw contradiction(db, `does not hold exactly one ${scope} segment of its collection`)
  const maxSeqId = decodeSeqId(row.seq_id)
  if (maxSeqId !== undefined && !(Number.isSafeInteger(maxSeqId) && maxSeqId >= 0))
    throw contradiction(db, `has ${row.seq_id} as the max_seq_id of its ${scope} segment`)
  return {id: row.id, maxSeqId}
}
