import type {Database} from '@chops/core/sqlite'

import {DDL, SEAL_DDL} from './tables.js'

/** Whose snapshot it is: one of chops, or one of the Python tool chromadb-ops, which has no checksums of rows. */
export type Layout = 'chops' | 'python'

/** The tables of a snapshot of the Python tool and their columns (`scripts/snapshot.sql` of chromadb-ops). */
const PYTHON_TABLES: Record<string, string> = {
  collection_metadata: 'collection_id key str_value int_value float_value bool_value',
  collections: 'id name dimension database_id database_name tenant_id config_json_str',
  embedding_metadata: 'id key string_value int_value float_value bool_value',
  embeddings: 'id segment_id embedding_id seq_id created_at',
  embeddings_queue: 'seq_id created_at operation topic id vector encoding metadata',
  hnsw_segment_data: 'id segment_id filename data sha256 created_at',
  max_seq_id: 'segment_id seq_id',
  segment_metadata: 'segment_id key str_value int_value float_value bool_value',
  segments: 'id type scope collection',
}

interface SchemaRow {
  name: string
  sql: null | string
  type: string
}

/**
 * Recognises a snapshot by its schema, which has to be exactly the expected one: a file may come from a stranger, and a
 * view, a trigger or a virtual table could make SQLite do other things than reading rows.
 *
 * @returns undefined for any other database
 */
export async function readLayout(db: Database): Promise<Layout | undefined> {
  const schema = await db.all<SchemaRow>('SELECT type, name, sql FROM sqlite_master ORDER BY name')
  if (isChops(schema)) return 'chops'
  return (await isPython(db, schema)) ? 'python' : undefined
}

function isChops(schema: readonly SchemaRow[]): boolean {
  const found = schema.map(({sql, type}) => `${type} ${sql}`).sort()
  const expected = [...DDL, SEAL_DDL].map((ddl) => `table ${ddl}`).sort()
  return found.length === expected.length && found.every((entry, index) => entry === expected[index])
}

async function isPython(db: Database, schema: readonly SchemaRow[]): Promise<boolean> {
  const tables = schema.filter(({type}) => type === 'table')
  const indexes = schema.filter(({type}) => type === 'index')
  const names = tables.map(({name}) => name).join(' ')
  if (names !== Object.keys(PYTHON_TABLES).sort().join(' ')) return false
  if (tables.length + indexes.length !== schema.length) return false
  if (tables.some(({sql}) => !/^create table /i.test(sql ?? ''))) return false
  for (const {name} of tables) {
    const columns = await db.all<{hidden: number; name: string}>(
      'SELECT name, hidden FROM pragma_table_xinfo(?)',
      [name],
    )
    const isPlain = columns.every(({hidden}) => hidden === 0)
    if (!isPlain || columns.map((column) => column.name).join(' ') !== PYTHON_TABLES[name]) return false
  }

  for (const {name} of indexes) {
    // An expression has no column.
    const expression = await db.get('SELECT 1 FROM pragma_index_xinfo(?) WHERE cid < -1', [name])
    if (expression) return false
  }

  return true
}
