import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {RecordMetadataScalar, RecordMetadataValue, StoredMetadata} from './record.js'

import {hasColumn} from '../catalog/metadata.js'

interface ValueRow {
  bool_value: null | number
  float_value: null | number
  id: number
  /** As text: an integer of a driver's result must not exceed 2^53. */
  int_value: null | string
  key: string
  string_value: null | string
}

/** Reads what the metadata segments of a directory keep about their records. */
export class StoredMetadataReader {
  private constructor(
    private readonly dir: PersistDir,
    private readonly hasArrays: boolean,
  ) {}

  static async open(dir: PersistDir): Promise<StoredMetadataReader> {
    // From Chroma 1.5 on.
    return new StoredMetadataReader(dir, await hasColumn(dir.db, 'embedding_metadata_array', 'key'))
  }

  /** By `embeddings.id`, with an entry for each of the rows asked for. */
  async read(rows: readonly number[]): Promise<Map<number, StoredMetadata>> {
    const metadata = new Map(rows.map((row) => [row, new Map() as StoredMetadata]))
    const wanted = JSON.stringify(rows)
    for (const row of await this.select('embedding_metadata', wanted)) {
      const value = valueOf(row)
      if (value !== undefined) metadata.get(row.id)?.set(row.key, value)
    }

    if (!this.hasArrays) return metadata
    for (const row of await this.select('embedding_metadata_array', wanted)) {
      const value = valueOf(row)
      const record = metadata.get(row.id)
      if (value === undefined || !record) continue
      const list = record.get(row.key)
      if (Array.isArray(list)) list.push(value)
      else record.set(row.key, [value])
    }

    return metadata
  }

  private select(table: string, rows: string): Promise<ValueRow[]> {
    return this.dir.db.all<ValueRow>(
      `SELECT id, key, string_value, CAST(int_value AS TEXT) AS int_value, float_value, bool_value
       FROM ${table} WHERE id IN (SELECT value FROM json_each(?)) ORDER BY rowid`,
      [rows],
    )
  }
}

/** A row without any value stands for no value: the engines pass it over. */
function valueOf(row: ValueRow): RecordMetadataScalar | undefined {
  if (row.string_value !== null) return row.string_value
  if (row.int_value !== null) return BigInt(row.int_value)
  if (row.float_value !== null) return row.float_value
  return row.bool_value === null ? undefined : row.bool_value !== 0
}

/** Whether a value from elsewhere (JSON of the log, of a server) is one that metadata can have. */
export function isMetadataValue(value: unknown): value is RecordMetadataValue {
  return Array.isArray(value) ? value.every((item) => isScalar(item)) : isScalar(value)
}

function isScalar(value: unknown): value is RecordMetadataScalar {
  return ['bigint', 'boolean', 'number', 'string'].includes(typeof value)
}
