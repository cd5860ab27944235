import type {DatabaseSync, StatementSync} from 'node:sqlite'

import {setImmediate} from 'node:timers/promises'

import type {Connection} from './connect.js'
import type {Database, SqlValue} from './database.js'

import {driverMissing, integerTooLarge, sqliteError, valueTooLong} from './errors.js'
import {StatementCache} from './statement-cache.js'

type Module = typeof import('node:sqlite')

/** How long calls may follow each other before the event loop gets a turn. */
const TURN_MS = 25

let loaded: Module | undefined

/** `node:sqlite` of this Node, loaded without its ExperimentalWarning; undefined where there is none. */
function load(): Module | undefined {
  if (loaded) return loaded
  const {emitWarning} = process
  process.emitWarning = (...args: unknown[]) => {
    const [warning, type] = args
    if (type === 'ExperimentalWarning' && String(warning).startsWith('SQLite is an experimental feature'))
      return
    Reflect.apply(emitWarning, process, args)
  }

  try {
    // Synchronous, unlike import(): no warning of anything else can come in between.
    loaded = process.getBuiltinModule('node:sqlite') as Module | undefined
    return loaded
  } finally {
    process.emitWarning = emitWarning
  }
}

type Support = 'cuts text' | 'full' | 'none'

let support: Support | undefined

function probe(): Support {
  const sqlite = load()
  if (!sqlite) return 'none'
  let db: DatabaseSync
  try {
    // Where the name is not taken for a URI, read-only keeps a file of that name from being created.
    db = new sqlite.DatabaseSync('file:probe?mode=memory', {readOnly: true})
  } catch {
    return 'none'
  }

  const text = db.prepare('SELECT char(97, 0, 98) AS text').get()?.text
  db.close()
  return text === 'a\0b' ? 'full' : 'cuts text'
}

/**
 * How far `node:sqlite` of this Node can be used: `none` before 22.15, which has no URI file names;
 * `cuts text` where it reads TEXT only up to the first NUL character (every 22.x tried), `full` otherwise.
 */
export function nodeSqliteSupport(): Support {
  support ??= probe()
  return support
}

/** Opens a connection with the SQLite built into Node. */
export function openNodeSqlite(connection: Connection): Database {
  const sqlite = load()
  if (!sqlite || nodeSqliteSupport() === 'none') {
    throw driverMissing(
      `Node ${process.versions.node} has no usable node:sqlite.`,
      'Use Node 24 or newer, or unset CHOPS_SQLITE.',
    )
  }

  const options = {
    // Repairs have to reach the shadow tables of a broken full-text index, as they can with the other driver.
    defensive: false,
    enableForeignKeyConstraints: false,
    readOnly: connection.access !== 'write',
  }
  try {
    return new NodeSqliteDatabase(new sqlite.DatabaseSync(connection.uri, options), connection)
  } catch (error) {
    throw sqliteError(error, connection.file)
  }
}

/** node:sqlite binds every number as REAL, which a column without affinity (BLOB) would keep. */
function bindable(value: SqlValue): SqlValue {
  return Number.isSafeInteger(value) ? BigInt(value as number) : value
}

class NodeSqliteDatabase implements Database {
  readonly driver = 'node:sqlite'
  readonly file: string
  readonly uri: string
  private closed = false
  private lastTurn = performance.now()
  private readonly statements = new StatementCache<StatementSync>()

  constructor(
    private readonly db: DatabaseSync,
    private readonly connection: Connection,
  ) {
    this.file = connection.file
    this.uri = connection.uri
  }

  async all<T extends object>(sql: string, params: readonly SqlValue[] = []): Promise<T[]> {
    return this.attempt(() => {
      // Undefined, against its type, when a string of the result is too long for V8.
      const rows: unknown[] | undefined = this.prepare(sql, 'read').all(
        ...params.map((value) => bindable(value)),
      )
      if (!rows) throw valueTooLong(this.file)
      return rows as T[]
    })
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.db.close()
    await this.connection.onClose?.()
  }

  async exec(sql: string): Promise<void> {
    await this.attempt(() => {
      // Node 22 keeps the columns of a prepared statement, so that "SELECT *" would miss an added one.
      this.statements.clear()
      this.db.exec(sql)
    })
  }

  async get<T extends object>(sql: string, params: readonly SqlValue[] = []): Promise<T | undefined> {
    return this.attempt(() => {
      const row: unknown = this.prepare(sql, 'read').get(...params.map((value) => bindable(value)))
      return row as T | undefined
    })
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<{changes: number}> {
    return this.attempt(() => {
      const {changes} = this.prepare(sql, 'write').run(...params.map((value) => bindable(value)))
      return {changes: Number(changes)}
    })
  }

  private async attempt<R>(call: () => R): Promise<R> {
    // A loop of awaited calls would otherwise never let timers and signals through: no progress and no Ctrl-C.
    if (performance.now() - this.lastTurn > TURN_MS) {
      await setImmediate()
      this.lastTurn = performance.now()
    }

    try {
      return call()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_OUT_OF_RANGE')
        throw integerTooLarge(this.file, error)
      throw sqliteError(error, this.file)
    }
  }

  private prepare(sql: string, kind: 'read' | 'write'): StatementSync {
    let statement = this.statements.get(sql)
    if (!statement) {
      statement = this.db.prepare(sql)
      if (StatementCache.accepts(sql, kind)) this.statements.set(sql, statement)
    }

    return statement
  }
}
