import {hasColumn} from '@chops/core/catalog'
import type {PersistDir} from '@chops/core/persist-dir'
import type {RecordMetadata, RecordMetadataScalar} from '@chops/core/records'

interface MetadataRow {
  bool_value: null | number
  float_value: null | number
  /** As text: an integer of a driver's result must not exceed 2^53. */
  int_value: null | string
  key: string
  str_value: null | string
}

/** A collection's own metadata, null when there is none; the catalog does not tell a float `2.0` from an integer. */
export async function readOwnMetadata(
  {db}: PersistDir,
  collectionId: string,
): Promise<null | RecordMetadata> {
  const bool = (await hasColumn(db, 'collection_metadata', 'bool_value')) ? 'bool_value' : 'NULL'
  const rows = await db.all<MetadataRow>(
    `SELECT key, CAST(str_value AS TEXT) AS str_value, CAST(int_value AS TEXT) AS int_value,
            CAST(float_value AS REAL) AS float_value, ${bool} AS bool_value
     FROM collection_metadata WHERE collection_id = ? ORDER BY key`,
    [collectionId],
  )
  const entries = rows.flatMap((row) => {
    const value = valueOf(row)
    return value === null ? [] : [[row.key, value] as const]
  })
  return entries.length === 0 ? null : Object.fromEntries(entries)
}

function valueOf(row: MetadataRow): null | RecordMetadataScalar {
  if (row.str_value !== null) return row.str_value
  if (row.bool_value !== null) return row.bool_value !== 0
  // SQLite keeps a text in a column of integers as it is.
  if (row.int_value !== null) return /^-?\d+$/.test(row.int_value) ? BigInt(row.int_value) : row.int_value
  return row.float_value
}
