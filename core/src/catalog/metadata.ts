import type {Database} from '../sqlite/database.js'

/** A value of `collection_metadata` or `segment_metadata`. Integers beyond 2^53 stay exact as `bigint`. */
export type MetadataValue = bigint | boolean | null | number | string

export type Metadata = Record<string, MetadataValue>

interface MetadataRow {
  bool_value: null | number
  float_value: null | number
  int_value: null | string
  key: string
  owner: string
  str_value: null | string
}

/**
 * All metadata of one kind, by the id of its owner.
 *
 * `bool_value` exists since Chroma 0.5.1; before, booleans were integers.
 */
export async function readMetadata(
  db: Database,
  table: 'collection_metadata' | 'segment_metadata',
): Promise<Map<string, Metadata>> {
  const owner = table === 'collection_metadata' ? 'collection_id' : 'segment_id'
  const bool = (await hasColumn(db, table, 'bool_value')) ? 'bool_value' : 'NULL'
  const rows = await db.all<MetadataRow>(
    `SELECT ${owner} AS owner, key, CAST(str_value AS TEXT) AS str_value, CAST(int_value AS TEXT) AS int_value,
            CAST(float_value AS REAL) AS float_value, ${bool} AS bool_value
     FROM ${table} ORDER BY ${owner}, key`,
  )
  const byOwner = new Map<string, Metadata>()
  for (const row of rows) {
    const metadata = byOwner.get(row.owner) ?? {}
    metadata[row.key] = valueOf(row)
    byOwner.set(row.owner, metadata)
  }

  return byOwner
}

/**
 * Whether a table has a column: the way to tell what this generation's schema keeps where. Tables of attached databases
 * do not count.
 */
export async function hasColumn(db: Database, table: string, column: string): Promise<boolean> {
  const row = await db.get("SELECT 1 FROM pragma_table_info(?, 'main') WHERE name = ?", [table, column])
  return row !== undefined
}

function valueOf(row: MetadataRow): MetadataValue {
  if (row.str_value !== null) return row.str_value
  if (row.bool_value !== null) return row.bool_value !== 0
  if (row.int_value !== null) return integer(row.int_value)
  return row.float_value
}

/** SQLite keeps a text in a column of integers as it is. */
function integer(text: string): bigint | number | string {
  if (!/^-?\d+$/.test(text)) return text
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}
