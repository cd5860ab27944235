import {pathToFileURL} from 'node:url'

import type {Database, DriverName} from './database.js'

import {usage} from '../errors.js'
import {nodeSqliteSupport, openNodeSqlite} from './node-sqlite.js'
import {registerConnection} from './posix-locks.js'
import {hasSqlite3, openSqlite3} from './sqlite3-package.js'

/** What a driver needs to open a connection. */
export interface Connection {
  /**
   * `read` takes SQLite's shared lock while it reads; `immutable` takes none and touches nothing but the file itself,
   * for a file that nobody writes; `write` never creates a missing file.
   */
  access: 'immutable' | 'read' | 'write'
  /** The database as the caller named it, for messages. */
  file: string
  /** Runs after the connection has been closed, or could not be opened. */
  onClose?: () => Promise<void>
  /** https://www.sqlite.org/uri.html */
  uri: string
}

export interface ConnectOptions extends Pick<Connection, 'access' | 'file' | 'onClose'> {
  /** How long to wait for another process's lock, in milliseconds. */
  busyTimeout: number
  driver: DriverName
  /** The file to open, absolute. */
  path: string
}

function isDriver(name: string): name is DriverName {
  return name === 'node:sqlite' || name === 'sqlite3'
}

/**
 * The driver asked for, else the one that the environment variable CHOPS_SQLITE names, else `node:sqlite` where this
 * Node has it and it reads text whole, else the `sqlite3` package, else `node:sqlite` where it can be used at all.
 */
export async function chooseDriver(requested?: DriverName): Promise<DriverName> {
  const name = requested ?? (process.env.CHOPS_SQLITE || undefined)
  if (name === undefined) {
    const support = nodeSqliteSupport()
    return support === 'full' || (support === 'cuts text' && !(await hasSqlite3()))
      ? 'node:sqlite'
      : 'sqlite3'
  }

  if (!isDriver(name)) {
    throw usage(`CHOPS_SQLITE is "${name}", which is no driver.`, {
      next: 'Set it to "node:sqlite" or "sqlite3", or unset it.',
    })
  }

  return name
}

/**
 * Opens a connection, sets it up and reads the file's first page, so that a file that cannot be read fails here.
 * In `write` access this also rolls back a hot journal.
 */
export async function connect(options: ConnectOptions): Promise<Database> {
  const {access, busyTimeout, driver, file, path} = options
  const url = pathToFileURL(path)
  url.searchParams.set('mode', access === 'write' ? 'rw' : 'ro')
  if (access === 'immutable') url.searchParams.set('immutable', '1')

  const unregister = registerConnection(path)
  const onClose = async (): Promise<void> => {
    unregister()
    await options.onClose?.()
  }

  const connection: Connection = {
    access,
    file,
    onClose,
    uri: url.href,
  }
  let db: Database
  try {
    db = driver === 'sqlite3' ? await openSqlite3(connection) : openNodeSqlite(connection)
  } catch (error) {
    await onClose()
    throw error
  }

  try {
    await db.exec(`PRAGMA busy_timeout = ${busyTimeout}`)
    // Chroma's schema refers to a table that does not exist, which makes every write to it fail with foreign keys on.
    await db.exec('PRAGMA foreign_keys = OFF')
    // The file may come from a stranger, or shrink while it is read, which through a memory map is a crash.
    await db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0')
    await db.get('PRAGMA schema_version')
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}
