import type {Database} from '@chops/core/sqlite'

import {createHash, type Hash} from 'node:crypto'

import {type TableName, TABLES} from './tables.js'

/** Rows, or records, that are read at once, when they are small. */
const PAGE = 8192

/** Bytes of texts and blobs that are read at once, when they are more than one row or record. */
const PAGE_BYTES = 1 << 22

export interface TableDigest {
  rows: number
  sha256: string
}

/**
 * The checksum of a table's content, whatever the layout of the file: SHA-256 over two digests, that of all values as
 * text and that of all floats.
 *
 * A value as text is `n` for NULL, `i` and its digits for an INTEGER, `t`, its bytes, `:` and itself for a TEXT, `b`, its
 * bytes, `:` and itself for a BLOB, which version 1 has in hexadecimal, and `r` for a REAL; each is followed by `,`. SQLite
 * puts them together, because most of the time would go into bringing value by value to JavaScript. Floats are 8 bytes
 * each, big-endian: their text differs from one SQLite to another.
 *
 * Memory: a page of rows, some 15 MB at most; more only where a single record is larger.
 *
 * @param version of the format
 */
export async function digestTable(
  db: Pick<Database, 'all'>,
  name: TableName,
  version: number,
  signal?: AbortSignal,
): Promise<TableDigest> {
  const {columns, key} = TABLES[name]
  const order = key === 'rowid' ? key : `${key}, key`
  const range = `${key} > ? AND ${key} <= ? ORDER BY ${order}`
  const line = columns.map((column) => valueText(column, version)).join(' || ')
  const lines = `SELECT CAST(group_concat(line, '') AS BLOB) AS text FROM (SELECT ${line} AS line FROM main.${name} WHERE ${range})`
  const floats = columns.includes('float_value')
    ? `SELECT float_value AS value FROM main.${name} WHERE float_value IS NOT NULL AND ${range}`
    : undefined
  const [texts, doubles] = [createHash('sha256'), createHash('sha256')]
  let rows = 0
  for await (const {after, count, last} of pagesOf(db, name)) {
    signal?.throwIfAborted()
    for (const {text} of await db.all<{text: Uint8Array}>(lines, [after, last])) texts.update(text)
    if (floats !== undefined) addFloats(doubles, await db.all<{value: number}>(floats, [after, last]))
    rows += count
  }

  const sha256 = createHash('sha256').update(texts.digest()).update(doubles.digest()).digest('hex')
  return {rows, sha256}
}

/** Keys from one beyond `after` to `last`, which `count` rows have. */
interface Page {
  after: number
  count: number
  last: number
}

/**
 * Divides a table by its keys. How long a text is SQLite knows without reading it.
 *
 * @yields pages of bounded size, in order
 */
async function* pagesOf(db: Pick<Database, 'all'>, name: TableName): AsyncGenerator<Page> {
  const {key, texts} = TABLES[name]
  const bytes = texts.map((column) => `ifnull(octet_length(${column}), 0)`).join(' + ')
  const keys =
    key === 'rowid'
      ? `SELECT rowid AS page, 1 AS n, ${bytes} AS bytes FROM main.${name} WHERE rowid > ?`
      : `SELECT ${key} AS page, COUNT(*) AS n, sum(${bytes}) AS bytes FROM main.${name} WHERE ${key} > ? GROUP BY ${key}`
  const next = `SELECT max(page) AS last, sum(n) AS count, sum(bytes) AS bytes FROM (${keys} ORDER BY ${key} LIMIT ?)`
  let limit = PAGE
  let after = Number.MIN_SAFE_INTEGER
  for (;;) {
    const [page] = await db.all<{bytes: number; count: number; last: null | number}>(next, [after, limit])
    if (page?.last === undefined || page.last === null || page.last <= after) return
    if (page.bytes > PAGE_BYTES && limit > 1) {
      limit = Math.ceil(limit / 4)
      continue
    }

    yield {after, count: page.count, last: page.last}
    after = page.last
    limit = Math.min(PAGE, 2 * limit)
  }
}

/** Most values are NULL; SQLite sees that without a call. */
function valueText(column: string, version: number): string {
  const bytes = version === 1 ? `hex(${column})` : `CAST(${column} AS TEXT)`
  return `CASE WHEN ${column} IS NULL THEN 'n,' ELSE CASE typeof(${column})
    WHEN 'integer' THEN 'i' || ${column} || ','
    WHEN 'real' THEN 'r,'
    WHEN 'text' THEN 't' || octet_length(${column}) || ':' || ${column} || ','
    ELSE concat('b', length(${column}), ':', ${bytes}, ',') END END`
}

function addFloats(hash: Hash, values: readonly {value: number}[]): void {
  const bytes = Buffer.alloc(8 * values.length)
  for (const [index, {value}] of values.entries()) bytes.writeDoubleBE(value, 8 * index)
  hash.update(bytes)
}
