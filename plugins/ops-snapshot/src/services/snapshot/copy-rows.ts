import type {Collection} from '@chops/core/catalog'

import type {PersistDir} from '@chops/core/persist-dir'
import type {Database, SqlValue} from '@chops/core/sqlite'

import {TABLE_NAMES, type TableName, TABLES} from '../format/tables.js'

interface Selection {
  from: string
  order?: string
  params: SqlValue[]
  /** Columns that are not those of the same name. */
  renamed?: Record<string, string>
  where: string
}

/** Name under which the directory's database is attached to the snapshot. */
export const SOURCE = 'source'

/** Looking a record up by the index of its segment, and sorting it, takes as long as passing by so many. */
const PASSED_PER_LOOKUP = 7

/**
 * Copies the rows of a collection from the attached directory into the snapshot, inside of SQLite. What a generation does
 * not have yet (columns, the table of arrays) comes out as NULL, or empty.
 */
export async function copyRows(db: Database, dir: PersistDir, collection: Collection): Promise<void> {
  const selections = selectionsOf(collection, await isLargePart(dir, collection))
  const present = await readColumns(dir)
  for (const name of TABLE_NAMES) {
    const {from, order = `${name}.rowid`, params, renamed, where} = selections[name]
    const own = present.get(name)
    if (!own) continue
    const {columns} = TABLES[name]
    const expressions = columns.map(
      (column) => renamed?.[column] ?? (own.has(column) ? `${name}.${column}` : 'NULL'),
    )
    await db.run(
      `INSERT INTO main.${name} (${columns.join(', ')})
       SELECT ${expressions.join(', ')} FROM ${from} WHERE ${where} ORDER BY ${order}`,
      params,
    )
  }
}

/** The columns of every table, all at once: each question waits for what this thread does at the same time. */
async function readColumns({db}: PersistDir): Promise<Map<string, Set<string>>> {
  const rows = await db.all<{columns: string; name: string}>(
    `SELECT name, (SELECT json_group_array(column.name) FROM pragma_table_info(sqlite_master.name) AS column) AS columns
     FROM sqlite_master WHERE type = 'table' AND name IN (${TABLE_NAMES.map(() => '?').join(', ')})`,
    TABLE_NAMES,
  )
  return new Map(rows.map(({columns, name}) => [name, new Set(JSON.parse(columns) as string[])]))
}

/** Whether reading all records of the directory in their order is faster than finding those of the collection. */
async function isLargePart({db}: PersistDir, {metadataSegment}: Collection): Promise<boolean> {
  const row = await db.get<{all: null | number; own: number}>(
    `SELECT (SELECT MAX(id) FROM embeddings) AS "all", COUNT(*) AS own FROM embeddings WHERE segment_id = ?`,
    [metadataSegment?.id ?? ''],
  )
  return row !== undefined && PASSED_PER_LOOKUP * row.own > (row.all ?? 0)
}

/** What belongs to the records is found by those that are in the snapshot already, which come first, in their order. */
function selectionsOf(
  {id, metadataSegment, topic, vectorSegment}: Collection,
  isLargePart: boolean,
): Record<TableName, Selection> {
  const segments = [metadataSegment?.id ?? '', vectorSegment?.id ?? '']
  const ofRecords = (table: string): string =>
    `main.embeddings AS record CROSS JOIN ${SOURCE}.${table} ON ${table}.id = record.id`
  const [metadataId = ''] = segments
  return {
    collection_metadata: {
      from: `${SOURCE}.collection_metadata`,
      params: [id],
      where: 'collection_id = ?',
    },
    collections: {
      from: `${SOURCE}.collections JOIN ${SOURCE}.databases ON databases.id = collections.database_id`,
      params: [id],
      renamed: {database_name: 'databases.name', tenant_id: 'databases.tenant_id'},
      where: 'collections.id = ?',
    },
    embedding_metadata: {
      from: ofRecords('embedding_metadata'),
      order: 'record.id, embedding_metadata.key',
      params: [],
      where: 'TRUE',
    },
    embedding_metadata_array: {
      from: ofRecords('embedding_metadata_array'),
      order: 'record.id, embedding_metadata_array.rowid',
      params: [],
      where: 'TRUE',
    },
    embeddings: {
      from: `${SOURCE}.embeddings`,
      params: [metadataId],
      // A plus keeps SQLite from the index, which has them in another order.
      where: isLargePart ? '+segment_id = ?' : 'segment_id = ?',
    },
    embeddings_queue: {from: `${SOURCE}.embeddings_queue`, params: [topic], where: 'topic = ?'},
    max_seq_id: {from: `${SOURCE}.max_seq_id`, params: segments, where: 'segment_id IN (?, ?)'},
    segment_metadata: {from: `${SOURCE}.segment_metadata`, params: segments, where: 'segment_id IN (?, ?)'},
    segments: {from: `${SOURCE}.segments`, params: segments, where: 'id IN (?, ?)'},
  }
}
