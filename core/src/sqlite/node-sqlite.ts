import type {DatabaseSync, StatementSync} from 'node:sqlite'

import {setImmediate} from 'node:timers/promises'

import type {Connection} from './connect.js'
import type {Database, SqlValue} from './database.js'

import {driverMissing, integerTooLarge, sqliteError, valueTooLong} from './errors.js'
import {StatementCache} from './statement-cache.js'
import {textsOf, withTextAsBlob} from './whole-text.js'

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

  const statement = db.prepare('SELECT char(97, 0, 98) AS text')
  const text = statement.get()?.text
  // 22.15 cannot say which columns there are, without which the text cannot be asked for in another way.
  const hasColumns = 'columns' in statement
  db.close()
  if (text === 'a\0b') return 'full'
  return hasColumns ? 'cuts text' : 'none'
}

/**
 * How far `node:sqlite` of this Node can be used: `none` before 22.16, which lacks URI file names or the columns of a
 * statement; `cuts text` where it reads TEXT only up to the first NUL character (every 22.x tried), so that text has to be
 * read as BLOB, which is slower; `full` otherwise.
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
      'Use Node 22.16 or newer, or unset CHOPS_SQLITE.',
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

/** A statement with the columns whose text it reads as BLOB; undefined when it reads text as it is. */
interface Prepared {
  columns: readonly {name: string}[] | undefined
  statement: StatementSync
}

class NodeSqliteDatabase implements Database {
  readonly driver = 'node:sqlite'
  readonly file: string
  readonly uri: string
  private closed = false
  private lastTurn = performance.now()
  private readonly statements = new StatementCache<Prepared>()

  constructor(
    private readonly db: DatabaseSync,
    private readonly connection: Connection,
  ) {
    this.file = connection.file
    this.uri = connection.uri
  }

  async all<T extends object>(sql: string, params: readonly SqlValue[] = []): Promise<T[]> {
    return this.attempt(() => {
      const {columns, statement} = this.prepare(sql, 'read')
      // Undefined, against its type, when a string of the result is too long for V8.
      const rows: Record<string, unknown>[] | undefined = statement.all(
        ...params.map((value) => bindable(value)),
      )
      if (!rows) throw valueTooLong(this.file)
      if (columns) textsOf(rows, columns)
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
      const {columns, statement} = this.prepare(sql, 'read')
      const row: Record<string, unknown> | undefined = statement.get(
        ...params.map((value) => bindable(value)),
      )
      if (row && columns) textsOf([row], columns)
      return row as T | undefined
    })
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<{changes: number}> {
    return this.attempt(() => {
      const {changes} = this.prepare(sql, 'write').statement.run(...params.map((value) => bindable(value)))
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

  private prepare(sql: string, kind: 'read' | 'write'): Prepared {
    const known = this.statements.get(sql)
    if (known) return known
    const isReusable = StatementCache.accepts(sql, kind)
    const prepared = {columns: undefined, statement: this.db.prepare(sql)}
    // What is no query (a PRAGMA) gives nothing back that comes from a user.
    const result =
      kind === 'read' && isReusable && support === 'cuts text' ? this.wholeText(sql, prepared) : prepared
    if (isReusable) this.statements.set(sql, result)
    return result
  }

  private wholeText(sql: string, {statement}: Prepared): Prepared {
    const columns = statement.columns()
    return {columns, statement: this.db.prepare(withTextAsBlob(sql, columns))}
  }
}
