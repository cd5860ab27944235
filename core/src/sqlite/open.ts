import type {Database, DriverName} from './database.js'
import type {CopyOptions} from './recovered-copy.js'
import type {Source} from './read-only.js'

import {chooseDriver, connect} from './connect.js'
import {inspectDatabaseFile} from './database-file.js'
import {openReadOnly} from './read-only.js'

/** Chroma holds the lock for a commit only; waiting longer would look like a hang to somebody who only reads. */
const READ_BUSY_TIMEOUT_MS = 2000
const WRITE_BUSY_TIMEOUT_MS = 5000

/** With `onProgress` and `signal` for the copy that reading an unfinished database takes. */
export interface OpenOptions extends CopyOptions {
  /** How long to wait for another process's lock, in milliseconds. */
  busyTimeout?: number
  /** Without it, what CHOPS_SQLITE names or this Node has. */
  driver?: DriverName
  /** `read` creates and changes nothing in the folder; `write` recovers an unfinished transaction at once. */
  mode: 'read' | 'write'
}

export interface OpenedDatabase extends Database {
  /**
   * Whether a transaction still sees what the file and its sidecars hold. No lock sees to that where a private copy is
   * read, or the file of a database in WAL mode that nobody had open.
   */
  isCurrent(): boolean
  /** How the file was opened: a command that shows a recovered copy should say so. */
  readonly source: Source
  /** The file is in WAL mode. An immutable connection does not know: its PRAGMA journal_mode says "delete". */
  readonly walMode: boolean
}

/**
 * Opens an existing SQLite database. Foreign keys are off, as Chroma has them.
 *
 * @param file path of the database, e.g. `<persist directory>/chroma.sqlite3`; messages name it as given
 *
 * Fails with `notFound` when it does not exist (it is never created), `damaged` when it cannot be read or is not an
 * SQLite database, `inUse` when it is locked, `usage` when the driver is not installed.
 */
export async function openDatabase(file: string, options: OpenOptions): Promise<OpenedDatabase> {
  const {busyTimeout, driver: requested, mode, ...copyOptions} = options
  const driver = await chooseDriver(requested)

  if (mode === 'read') {
    const {db, ...opened} = await openReadOnly(file, {
      busyTimeout: busyTimeout ?? READ_BUSY_TIMEOUT_MS,
      driver,
      ...copyOptions,
    })
    return Object.assign(db, opened)
  }

  const {path, walMode} = inspectDatabaseFile(file)
  const db = await connect({
    access: 'write',
    busyTimeout: busyTimeout ?? WRITE_BUSY_TIMEOUT_MS,
    driver,
    file,
    path,
  })
  return Object.assign(db, {isCurrent: () => true, source: 'direct' as const, walMode})
}
