import {damaged} from '../errors.js'
import {primaryCode, SQLITE_ERROR} from './errors.js'

/**
 * A value bound to a `?`. A number that is an integer is bound as INTEGER, any other number as REAL; a bigint
 * (64 bits) as INTEGER; a Uint8Array as BLOB.
 */
export type SqlValue = Uint8Array | bigint | null | number | string

export type DriverName = 'node:sqlite' | 'sqlite3'

/**
 * One connection to one SQLite file, the same over both drivers.
 *
 * - Parameters are positional: plain `?` only. One statement per call; `exec` takes several, without parameters.
 * - A row is an object of column name to value: NULL is null, INTEGER and REAL a number, TEXT a string, BLOB a
 *   Uint8Array (a Buffer with one driver: use only what Uint8Array has).
 * - An INTEGER beyond 2^53 - 1 in a result is an error (`damaged`), never a rounded number. Where such values are
 *   legitimate (`int_value` of metadata, a `seq_id` that may be poisoned) select `CAST(column AS TEXT)` and use BigInt.
 * - Await each call before the next: calls made side by side run in no certain order.
 * - Every failure that says something about the file is a ChopsError (see `sqliteError`); mistakes in the SQL and
 *   broken constraints are bugs and reject with the driver's own error.
 */
export interface Database {
  readonly driver: DriverName
  /** The database file as the caller named it, for messages; never the path of a private copy. */
  readonly file: string
  /** How the file was opened, https://www.sqlite.org/uri.html; for `attach`. */
  readonly uri: string

  /** All rows of the result, in memory; `keysetPages` reads a big table. */
  all<T extends object>(sql: string, params?: readonly SqlValue[]): Promise<T[]>
  /** Closes the connection; a second call does nothing. */
  close(): Promise<void>
  exec(sql: string): Promise<void>
  /** The first row of the result. */
  get<T extends object>(sql: string, params?: readonly SqlValue[]): Promise<T | undefined>
  /** `changes` is the number of rows changed, and only meaningful after INSERT, UPDATE or DELETE. */
  run(sql: string, params?: readonly SqlValue[]): Promise<{changes: number}>
}

type KeysetKey = number | string

export interface KeysetQuery {
  /** Only rows whose key is greater than this; without it from the smallest key on. */
  after?: KeysetKey
  /**
   * Fetch the next page while the caller works on one, where the driver can: for callers that read to the end, and write
   * nothing that the query could see.
   */
  ahead?: boolean
  /** The result columns; the key must be among them under its own name. */
  columns: string
  /** The table, or a join, to read from. */
  from: string
  /** A unique INTEGER or TEXT column with an index, best the rowid; may be qualified (`e.id`). */
  key: string
  /** Rows per page: what is held in memory at once. */
  pageSize: number
  params?: readonly SqlValue[]
  /** An SQL condition, whose `?` are `params`. */
  where?: string
}

/**
 * Reads a big table in key order, page by page, and fetches the next page only when it is asked for, but for `ahead`.
 *
 * Each page is a query of its own that starts after the last key of the one before, so memory stays constant and no
 * statement is left open while the caller works. Wrap it in a `transaction` where all pages must show one moment.
 *
 * Fails with `damaged` when the keys do not ascend, which only a corrupt B-tree does and which would never end.
 *
 * @yields the rows of one page, never none
 */
export async function* keysetPages<T extends object>(db: Database, query: KeysetQuery): AsyncGenerator<T[]> {
  const {columns, from, key, pageSize, params = [], where} = query
  const name = key.slice(key.lastIndexOf('.') + 1)
  const fetch = (after: KeysetKey | undefined): Promise<T[]> => {
    const conditions = [where === undefined ? '' : `(${where})`, after === undefined ? '' : `${key} > ?`]
    const filter = conditions.filter(Boolean).join(' AND ')
    return db.all<T>(
      `SELECT ${columns} FROM ${from} ${filter && `WHERE ${filter}`} ORDER BY ${key} LIMIT ?`,
      after === undefined ? [...params, pageSize] : [...params, after, pageSize],
    )
  }

  // node:sqlite works on the thread that calls it.
  const isAhead = query.ahead === true && db.driver === 'sqlite3'
  let {after} = query
  let fetching = fetch(after)
  try {
    for (;;) {
      const page = await fetching
      const last = page.at(-1)
      if (last === undefined) return
      after = keyAfter(after, Reflect.get(last, name), {file: db.file, table: from})
      const isLast = page.length < pageSize
      if (isAhead && !isLast) {
        fetching = fetch(after)
        // Met when the caller is done with this page.
        fetching.catch(() => {})
      }

      yield page
      if (isLast) return
      if (!isAhead) fetching = fetch(after)
    }
  } finally {
    // Nothing is read any more when the caller goes on, which may be to the end of its transaction.
    await fetching.catch(() => {})
  }
}

function keyAfter(
  before: KeysetKey | undefined,
  key: unknown,
  {file, table}: {file: string; table: string},
): KeysetKey {
  if (typeof key !== 'number' && typeof key !== 'string')
    throw new TypeError(`the key of ${table} is neither an integer nor a text`)
  if (before === undefined || isAfter(key, before)) return key
  throw damaged(`The keys of ${table} are out of order.`, {file, next: 'Restore the file from a backup.'})
}

/** As SQLite orders them: text by its bytes in UTF-8, where JavaScript compares units of UTF-16. */
function isAfter(key: KeysetKey, before: KeysetKey): boolean {
  if (typeof key === 'number' || typeof before === 'number') return key > before
  return Buffer.compare(Buffer.from(key), Buffer.from(before)) > 0
}

/**
 * Runs `work` between BEGIN and COMMIT and returns its result. When `work` or the COMMIT fails the transaction is
 * rolled back and the original error is thrown as it is.
 */
export async function transaction<T>(
  db: Database,
  mode: 'DEFERRED' | 'EXCLUSIVE' | 'IMMEDIATE',
  work: () => Promise<T>,
): Promise<T> {
  try {
    await db.exec(`BEGIN ${mode}`)
  } catch (error) {
    // A disk that fails may do so once the lock is taken. A transaction that is open already is a mistake of the caller,
    // and not this one's to end.
    if (primaryCode(error) !== SQLITE_ERROR) await db.exec('ROLLBACK').catch(() => {})
    throw error
  }

  try {
    const result = await work()
    await db.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk or an I/O error has already made SQLite roll back; its complaint must not hide the cause.
    await db.exec('ROLLBACK').catch(() => {})
    throw error
  }
}
