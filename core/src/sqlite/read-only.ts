import {setTimeout} from 'node:timers/promises'

import type {DatabaseFile} from './database-file.js'
import type {Database, DriverName} from './database.js'
import type {CopyOptions} from './recovered-copy.js'

import {inUse} from '../errors.js'
import {connect} from './connect.js'
import {inspectDatabaseFile} from './database-file.js'
import {primaryCode, SQLITE_READONLY} from './errors.js'
import {copyForRecovery} from './recovered-copy.js'

const ATTEMPTS = 5
const RETRY_MS = 100

/**
 * `direct`: the file itself. `recovered copy`: a private copy, because the file has writes that only a process which
 * may write can take back. `merged copy`: one into which the write-ahead log was merged, which takes such a process too.
 */
export type Source = 'direct' | 'merged copy' | 'recovered copy'

export interface ReadOnlyDatabase {
  db: Database
  /** See `OpenedDatabase`. */
  isCurrent: () => boolean
  source: Source
  walMode: boolean
}

export interface ReadOnlyOptions extends CopyOptions {
  busyTimeout: number
  driver: DriverName
}

/**
 * How a file can be opened without creating or changing anything in its folder.
 *
 * SQLite opens a non-empty write-ahead log whatever the header says, and creates `-wal` and `-shm` for every database
 * in WAL mode; only `immutable` keeps it from that, and then it looks at neither locks, log nor journal. A `-shm`
 * tells of a connection that may write at any time, which `immutable` would not notice.
 */
function accessFor({journal, shm, wal, walMode}: DatabaseFile): 'copy' | 'immutable' | 'read' {
  if (wal) return 'copy'
  if (!walMode) return 'read'
  return journal || shm ? 'copy' : 'immutable'
}

async function openCopy(
  file: string,
  source: Source,
  {busyTimeout, driver, ...options}: ReadOnlyOptions,
): Promise<Omit<ReadOnlyDatabase, 'walMode'> | undefined> {
  const copy = await copyForRecovery(file, options)
  if (!copy) return undefined
  const {fingerprint, path, remove} = copy
  try {
    // Rolls back the journal, or replays the log; closing merges the log into the database.
    const recovery = await connect({access: 'write', busyTimeout, driver, file, path})
    await recovery.close()
    const db = await connect({access: 'read', busyTimeout, driver, file, onClose: remove, path})
    return {db, isCurrent: () => isUnchanged(file, fingerprint), source}
  } catch (error) {
    await remove()
    throw error
  }
}

function isUnchanged(file: string, fingerprint: string): boolean {
  return inspectDatabaseFile(file).fingerprint === fingerprint
}

/**
 * Opens a database for reading without creating or changing a byte in its folder, which may be read-only.
 *
 * Whether a journal is hot is left to SQLite (`hasHotJournal` in its pager.c): it refuses to read the file with
 * SQLITE_READONLY, and then a private copy is recovered instead. Neither that journal nor a log may be ignored, since
 * what the database file alone holds can be half of a transaction.
 *
 * Fails with `notFound`, `damaged`, or `inUse` when the file is locked or does not stay unchanged long enough to be
 * copied.
 */
export async function openReadOnly(file: string, options: ReadOnlyOptions): Promise<ReadOnlyDatabase> {
  const {busyTimeout, driver, signal} = options
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    signal?.throwIfAborted()
    const found = inspectDatabaseFile(file)
    const access = accessFor(found)
    if (access !== 'copy') {
      try {
        const db = await connect({access, busyTimeout, driver, file, path: found.path})
        const isCurrent = (): boolean => access === 'read' || isUnchanged(file, found.fingerprint)
        return {db, isCurrent, source: 'direct', walMode: found.walMode}
      } catch (error) {
        if (primaryCode(error) !== SQLITE_READONLY) throw error
      }
    }

    // Another process may have rolled the journal back by now, or a writer that is alive may have ended with it.
    const now = inspectDatabaseFile(file)
    const source = now.journal ? 'recovered copy' : 'merged copy'
    const copy = now.journal || now.wal || now.shm ? await openCopy(file, source, options) : undefined
    if (copy) return {...copy, walMode: now.walMode}
    await setTimeout(RETRY_MS)
  }

  throw inUse(`Another process keeps writing to ${file}.`, {
    file,
    next: 'Stop Chroma, then run the command again.',
  })
}
