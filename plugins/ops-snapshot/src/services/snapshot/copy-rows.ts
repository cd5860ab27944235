import type {Collection} from '@chops/core/catalog'

import {hasColumn} from '@chops/core/catalog'
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

/**
 * Copies the rows of a collection from the attached directory into the snapshot, inside of SQLite. What a generation does
 * not have yet (columns, the table of arrays) comes out as NULL, or empty.
 */
export async function copyRows(db: Database, dir: PersistDir, collection: Collection): Promise<void> {
  const selections = selectionsOf(collection)
  for (const name of TABLE_NAMES) {
    const {from, order = `${name}.rowid`, params, renamed, where} = selections[name]
    if (!(await hasTable(dir, name))) continue
    const expressions: string[] = []
    for (const column of TABLES[name].columns) {
      const own = (await hasColumn(dir.db, name, column)) ? `${name}.${column}` : 'NULL'
      expressions.push(renamed?.[column] ?? own)
    }

    await db.run(
      `INSERT INTO main.${name} (${TABLES[name].columns.join(', ')})
       SELECT ${expressions.join(', ')} FROM ${from} WHERE ${where} ORDER BY ${order}`,
      params,
    )
  }
}

async function hasTable({db}: PersistDir, name: TableName): Promise<boolean> {
  return (await db.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [name])) !== undefined
}

function selectionsOf({id, metadataSegment, topic, vectorSegment}: Collection): Record<TableName, Selection> {
  const segments = [metadataSegment?.id ?? '', vectorSegment?.id ?? '']
  const records = `id IN (SELECT id FROM ${SOURCE}.embeddings WHERE segment_id = ?)`
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
      from: `${SOURCE}.embedding_metadata`,
      order: 'embedding_metadata.id, embedding_metadata.key',
      params: [metadataId],
      where: records,
    },
    embedding_metadata_array: {
      from: `${SOURCE}.embedding_metadata_array`,
      order: 'embedding_metadata_array.id, embedding_metadata_array.rowid',
      params: [metadataId],
      where: records,
    },
    embeddings: {from: `${SOURCE}.embeddings`, params: [metadataId], where: 'segment_id = ?'},
    embeddings_queue: {from: `${SOURCE}.embeddings_queue`, params: [topic], where: 'topic = ?'},
    max_seq_id: {from: `${SOURCE}.max_seq_id`, params: segments, where: 'segment_id IN (?, ?)'},
    segment_metadata: {from: `${SOURCE}.segment_metadata`, params: segments, where: 'segment_id IN (?, ?)'},
    segments: {from: `${SOURCE}.segments`, params: segments, where: 'id IN (?, ?)'},
  }
}
