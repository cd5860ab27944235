import type {Database as NativeDatabase, RunResult, Statement} from 'sqlite3'

import {constants} from 'node:buffer'

import type {Connection} from './connect.js'
import type {Database, SqlValue} from './database.js'

import {driverMissing, integerTooLarge, sqliteError} from './errors.js'
import {bindable, type Query} from './sqlite3-parameters.js'
import {StatementCache} from './statement-cache.js'

type Module = typeof import('sqlite3')

async function load(): Promise<Module> {
  try {
    const {default: sqlite3} = (await import('sqlite3')) as unknown as {default: Module}
    return sqlite3
  } catch (error) {
    throw driverMissing(
      'The native module of the "sqlite3" package is not installed.',
      'Run "npm rebuild sqlite3" where chops is installed, or use Node 22.16 or newer, which brings SQLite itself.',
      error,
    )
  }
}

/** Whether the native module is there. */
export async function hasSqlite3(): Promise<boolean> {
  return load().then(
    () => true,
    () => false,
  )
}

/** Opens a connection with the `sqlite3` package of npm. */
export async function openSqlite3(connection: Connection): Promise<Database> {
  const sqlite3 = await load()
  const access = connection.access === 'write' ? sqlite3.OPEN_READWRITE : sqlite3.OPEN_READONLY
  const mode = access | sqlite3.OPEN_URI | sqlite3.OPEN_FULLMUTEX
  try {
    const db = await new Promise<NativeDatabase>((resolve, reject) => {
      const opening: NativeDatabase = new sqlite3.Database(connection.uri, mode, (error) =>
        error ? reject(error) : resolve(opening),
      )
    })
    // The binding aborts the process on a text that does not fit a JavaScript string; so it becomes SQLITE_TOOBIG.
    db.configure('limit', sqlite3.LIMIT_LENGTH, constants.MAX_STRING_LENGTH)
    return new Sqlite3Database(db, connection)
  } catch (error) {
    throw sqliteError(error, connection.file)
  }
}

function isBeyondSafe(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER
}

/** Columns with a number that came from an INTEGER beyond 2^53, or from a REAL of that size: they look the same. */
function doubtfulColumns(rows: readonly object[]): string[] {
  const columns = new Set<string>()
  for (const row of rows) {
    for (const column in row) {
      if (isBeyondSafe(row[column as keyof typeof row])) columns.add(column)
    }
  }

  return [...columns]
}

function finalize(statement: Statement): void {
  statement.finalize()
}

class Sqlite3Database implements Database {
  readonly driver = 'sqlite3'
  readonly file: string
  readonly uri: string
  private closed = false
  private last: Promise<unknown> = Promise.resolve()
  private readonly statements = new StatementCache<Statement>(finalize)

  constructor(
    private readonly db: NativeDatabase,
    private readonly connection: Connection,
  ) {
    this.file = connection.file
    this.uri = connection.uri
  }

  all<T extends object>(sql: string, params: readonly SqlValue[] = []): Promise<T[]> {
    return this.enqueue(async () => {
      const query = bindable(sql, params)
      const statement = await this.reusable(sql, query, 'read')
      const rows = await this.attempt<T[]>(sql, (done) =>
        statement ? statement.all(query.params, done) : this.db.all(query.sql, query.params, done),
      )
      await this.refuseWideIntegers(rows, query)
      return rows
    })
  }

  close(): Promise<void> {
    return this.enqueue(async () => {
      if (this.closed) return
      this.closed = true
      this.statements.clear()
      await this.attempt<void>('', (done) => this.db.close(done))
      await this.connection.onClose?.()
    })
  }

  exec(sql: string): Promise<void> {
    return this.enqueue(() => this.attempt<void>(sql, (done) => this.db.exec(sql, done)))
  }

  get<T extends object>(sql: string, params: readonly SqlValue[] = []): Promise<T | undefined> {
    return this.enqueue(async () => {
      const query = bindable(sql, params)
      // Never a reused statement: the binding would leave it on its first row, and with it SQLite's lock.
      const row = await this.attempt<T | undefined>(sql, (done) => this.db.get(query.sql, query.params, done))
      if (row) await this.refuseWideIntegers([row], query)
      return row
    })
  }

  run(sql: string, params: readonly SqlValue[] = []): Promise<{changes: number}> {
    return this.enqueue(async () => {
      const query = bindable(sql, params)
      const statement = await this.reusable(sql, query, 'write')
      return this.attempt<{changes: number}>(sql, (done) => {
        function finished(this: RunResult, error: Error | null): void {
          done(error, error ? undefined : {changes: this.changes})
        }

        if (statement) statement.run(query.params, finished)
        else this.db.run(query.sql, query.params, finished)
      })
    })
  }

  private async attempt<R>(
    sql: string,
    call: (done: (error: Error | null, result?: R) => void) => void,
  ): Promise<R> {
    try {
      return await new Promise<R>((resolve, reject) => {
        call((error, result) => (error ? reject(error) : resolve(result as R)))
      })
    } catch (error) {
      // A statement that was refused a lock stays active, and would be in the way of a COMMIT.
      this.statements.delete(sql)
      throw sqliteError(error, this.file)
    }
  }

  /** One call at a time: the binding runs them on several threads, and lets a close overtake the finalizing. */
  private enqueue<R>(call: () => Promise<R>): Promise<R> {
    const result = this.last.then(call)
    this.last = result.catch(() => {})
    return result
  }

  /** Asks SQLite for the type where a number may be an integer that lost digits on its way. */
  private async refuseWideIntegers(rows: readonly object[], query: Query): Promise<void> {
    const columns = doubtfulColumns(rows)
    if (columns.length === 0) return
    const wide = columns.map((column) => {
      const name = `result."${column.replaceAll('"', '""')}"`
      return `(typeof(${name}) = 'integer' AND ${name} NOT BETWEEN -9007199254740991 AND 9007199254740991)`
    })
    const sql = `SELECT 1 FROM (${query.sql}\n) AS result WHERE ${wide.join(' OR ')} LIMIT 1`
    const found = await this.attempt<object | undefined>(sql, (done) => this.db.get(sql, query.params, done))
    if (found) throw integerTooLarge(this.file)
  }

  private async reusable(sql: string, query: Query, kind: 'read' | 'write'): Promise<Statement | undefined> {
    if (query.sql !== sql || !StatementCache.accepts(sql, kind)) return undefined
    const known = this.statements.get(sql)
    if (known) return known
    const statement = await this.attempt<Statement>(sql, (done) => {
      const prepared: Statement = this.db.prepare(sql, (error: Error | null) => done(error, prepared))
    })
    this.statements.set(sql, statement)
    return statement
  }
}
