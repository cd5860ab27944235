import {type BigIntStats, openSync, readSync, realpathSync, statSync} from 'node:fs'

import {type ChopsError, damaged, notFound} from '../errors.js'
import {closeBesideConnections} from './posix-locks.js'

const HEADER_BYTES = 100
const WAL_HEADER_BYTES = 32
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')
/** The "file format read version", https://www.sqlite.org/fileformat.html#file_format_version_numbers */
const READ_VERSION_OFFSET = 19
const WAL_VERSION = 2

/** A database file and what lies beside it, as found at one moment. Sidecars that are missing or empty are undefined. */
export interface DatabaseFile {
  /** Differs between two looks when something was written in between. */
  fingerprint: string
  journal: BigIntStats | undefined
  /** With symbolic links resolved: SQLite keeps its sidecars beside the real file. */
  path: string
  shm: boolean
  size: bigint
  wal: BigIntStats | undefined
  /** The header says that the database is in WAL mode. */
  walMode: boolean
}

function systemError(error: unknown, file: string): unknown {
  const {code, errno, message} = error as NodeJS.ErrnoException
  if (errno === undefined) return error
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return notFound(`${file} does not exist.`, {
      cause: error,
      file,
      next: 'Give the persist directory of Chroma, the folder that holds chroma.sqlite3.',
    })
  }

  if (code === 'EACCES' || code === 'EPERM') {
    return damaged(`${file} cannot be read: permission denied.`, {
      cause: error,
      file,
      next: 'Run the command as the user that Chroma runs as, or check the permissions of the file and its folder.',
    })
  }

  return damaged(`${file} cannot be read: ${message}.`, {
    cause: error,
    file,
    next: 'Look for disk errors in the system log.',
  })
}

function notADatabase(file: string, reason: string): ChopsError {
  return damaged(`${file} is not an SQLite database: ${reason}.`, {
    file,
    next: 'Restore it from a backup.',
  })
}

/** A missing or empty file counts as none, as SQLite itself has it. */
function sidecar(path: string, file: string): BigIntStats | undefined {
  const stats = statSync(path, {bigint: true, throwIfNoEntry: false})
  // Opening a pipe would wait for ever.
  if (stats && !stats.isFile()) throw damaged(`${path} is not a regular file.`, {file})
  return stats && stats.size > 0n ? stats : undefined
}

function readStart(path: string, length: number): Buffer {
  const descriptor = openSync(path, 'r')
  try {
    const header = Buffer.alloc(length)
    return header.subarray(0, readSync(descriptor, header, 0, length, 0))
  } finally {
    closeBesideConnections(descriptor)
  }
}

/**
 * Looks at a database file and its sidecars without SQLite.
 *
 * @param file the path as the caller named it
 *
 * Fails with `notFound` when there is no such file, with `damaged` when it cannot be read or is not an SQLite database.
 */
export function inspectDatabaseFile(file: string): DatabaseFile {
  try {
    const path = realpathSync(file)
    const stats = statSync(path, {bigint: true})
    if (!stats.isFile()) {
      throw notADatabase(file, stats.isDirectory() ? 'it is a folder' : 'it is not a regular file')
    }

    if (stats.size === 0n) throw notADatabase(file, 'it is empty')
    if (stats.size < HEADER_BYTES) throw notADatabase(file, `it has only ${stats.size} bytes`)
    const header = readStart(path, HEADER_BYTES)
    const start = header.subarray(0, MAGIC.length)
    if (!start.equals(MAGIC)) throw notADatabase(file, `its first 16 bytes are ${start.toString('hex')}`)
    const journal = sidecar(`${path}-journal`, file)
    const wal = sidecar(`${path}-wal`, file)
    const parts = [stats, journal, wal].map((part) => part && [part.ino, part.size, part.mtimeNs].join(':'))
    return {
      // A log that starts anew has a new header, whatever the resolution of the file system's clock.
      fingerprint: [...parts, wal && readStart(`${path}-wal`, WAL_HEADER_BYTES).toString('hex')].join(' '),
      journal,
      path,
      shm: statSync(`${path}-shm`, {throwIfNoEntry: false}) !== undefined,
      size: stats.size,
      wal,
      walMode: header[READ_VERSION_OFFSET] === WAL_VERSION,
    }
  } catch (error) {
    throw systemError(error, file)
  }
}
