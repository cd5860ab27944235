import type {Database, SqlValue} from '@chops/core/sqlite'

/** SQLite binds at most 32,766 values; more than this in one statement gains nothing. */
const VALUES = 2000

/** Inserts rows into a table of the directory, many with one statement. */
export async function insertRows(
  db: Database,
  table: string,
  columns: readonly string[],
  rows: readonly SqlValue[][],
): Promise<void> {
  const size = Math.max(1, Math.floor(VALUES / columns.length))
  const one = `(${columns.map(() => '?').join(', ')})`
  for (let from = 0; from < rows.length; from += size) {
    const some = rows.slice(from, from + size)
    await db.run(
      `INSERT INTO main.${table} (${columns.join(', ')}) VALUES ${some.map(() => one).join(', ')}`,
      some.flat(),
    )
  }
}
