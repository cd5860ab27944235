import type {Database} from '@chops/core/sqlite'

import {createHash, type Hash} from 'node:crypto'

import {type TableName, TABLES} from './tables.js'

/** Rows, or records, that are read at once: a row may hold a document of any length. */
const PAGE = 256

export interface TableDigest {
  rows: number
  sha256: string
}

/**
 * The checksum of a table's content, whatever the layout of the file: SHA-256 over two digests, that of all values as
 * text and that of all floats.
 *
 * A value as text is `n` for NULL, `i` and its digits for an INTEGER, `t`, its bytes, `:` and itself for a TEXT, `b`, its
 * bytes, `:` and itself in hexadecimal for a BLOB, and `r` for a REAL; each is followed by `,`. SQLite puts them together,
 * because most of the time would go into bringing value by value to JavaScript. Floats are 8 bytes each, big-endian: their
 * text differs from one SQLite to another.
 *
 * Memory: a page of rows.
 *
 * @param schema of the file, where it is attached
 */
export async function digestTable(
  db: Database,
  name: TableName,
  {schema = 'main', signal}: {schema?: string; signal?: AbortSignal | undefined} = {},
): Promise<TableDigest> {
  const {columns, key} = TABLES[name]
  const from = `${schema}.${name}`
  const line = columns.map((column) => valueText(column)).join(' || ')
  const lines =
    key === 'rowid'
      ? `SELECT rowid AS page, 1 AS n, CAST(${line} AS BLOB) AS text FROM ${from} WHERE rowid > ? ORDER BY rowid LIMIT ${PAGE}`
      : `SELECT ${key} AS page, COUNT(*) AS n, CAST(group_concat(${line}, '') AS BLOB) AS text FROM ${from} WHERE ${key} > ? GROUP BY ${key} ORDER BY ${key} LIMIT ${PAGE}`
  const floats = columns.includes('float_value')
    ? `SELECT float_value AS value FROM ${from} WHERE ${key} > ? AND ${key} <= ? AND float_value IS NOT NULL ORDER BY ${key}${key === 'rowid' ? '' : ', key'}`
    : undefined
  const [texts, doubles] = [createHash('sha256'), createHash('sha256')]
  let rows = 0
  let after = Number.MIN_SAFE_INTEGER
  for (;;) {
    signal?.throwIfAborted()
    const page = await db.all<{n: number; page: number; text: Uint8Array}>(lines, [after])
    for (const {n, text} of page) {
      texts.update(text)
      rows += n
    }

    const last = page.at(-1)?.page
    if (last === undefined || last <= after) break
    if (floats !== undefined) addFloats(doubles, await db.all<{value: number}>(floats, [after, last]))
    after = last
  }

  const sha256 = createHash('sha256').update(texts.digest()).update(doubles.digest()).digest('hex')
  return {rows, sha256}
}

function valueText(column: string): string {
  return `CASE typeof(${column})
    WHEN 'null' THEN 'n'
    WHEN 'integer' THEN 'i' || ${column}
    WHEN 'real' THEN 'r'
    WHEN 'text' THEN 't' || length(CAST(${column} AS BLOB)) || ':' || ${column}
    ELSE 'b' || length(${column}) || ':' || hex(${column}) END || ','`
}

function addFloats(hash: Hash, values: readonly {value: number}[]): void {
  const bytes = Buffer.alloc(8 * values.length)
  for (const [index, {value}] of values.entries()) bytes.writeDoubleBE(value, 8 * index)
  hash.update(bytes)
}
