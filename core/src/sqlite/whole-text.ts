/** A column of a result, as `StatementSync.columns()` tells of it. */
interface Column {
  name: string
}

/** What says of each column of a row whether it is text. No query of chops names a column like that. */
const KINDS = 'kinds of the columns'

/**
 * The same query with text as BLOB, for a `node:sqlite` that reads text only up to the first NUL character; `textsOf`
 * turns its rows into those of the query. The order of the rows stays what it was.
 */
export function withTextAsBlob(sql: string, columns: readonly Column[]): string {
  // Named anew by their positions: what an expression is called without an alias is up to SQLite.
  const given = columns.map((_, index) => `c${index}`)
  const values = columns.map(
    ({name}, index) =>
      `CASE typeof(c${index}) WHEN 'text' THEN CAST(c${index} AS BLOB) ELSE c${index} END AS ${quoted(name)}`,
  )
  const kinds = given.map((column) => `iif(typeof(${column}) = 'text', 't', '-')`).join(' || ')
  return `WITH result (${given.join(', ')}) AS (${sql}\n) SELECT ${values.join(', ')}, ${kinds} AS ${quoted(KINDS)} FROM result`
}

/** Reads the BLOBs that were text, in place. */
export function textsOf(rows: readonly Record<string, unknown>[], columns: readonly Column[]): void {
  for (const row of rows) {
    const kinds = row[KINDS] as string
    delete row[KINDS]
    for (const [index, {name}] of columns.entries())
      if (kinds[index] === 't') row[name] = Buffer.from(row[name] as Uint8Array).toString('utf8')
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
