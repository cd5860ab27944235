import {ChopsError, damaged, inUse, usage} from '../errors.js'

/** Primary result codes, https://www.sqlite.org/rescode.html; the low byte of an extended code. */
export const SQLITE_ERROR = 1
const SQLITE_PERM = 3
export const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6
export const SQLITE_READONLY = 8
const SQLITE_IOERR = 10
export const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_CANTOPEN = 14
const SQLITE_PROTOCOL = 15
const SQLITE_TOOBIG = 18
const SQLITE_NOTADB = 26

/** SQLITE_READONLY_ROLLBACK: a hot journal that this connection may not roll back. */
const SQLITE_READONLY_ROLLBACK = 776

const CHECK = 'Restore the file from a backup.'
const PERMISSIONS =
  'Check the owner and the permissions of the file and its folder, and whether the disk is mounted read-only.'

/** Plain SQLITE_ERRORs that speak of the file, not of the statement. */
const MISSING = /^no such (column|table): (?:main\.)?(.+)$/
const UNREADABLE =
  /^(?:invalid fts5 file format|no such module|unsupported file format|vtable constructor failed)/

interface SqliteFailure {
  code: number
  message: string
}

function failureOf(error: unknown): SqliteFailure | undefined {
  if (!(error instanceof Error)) return undefined
  const {code, errcode, errno} = error as Error & {code?: unknown; errcode?: unknown; errno?: unknown}
  // node:sqlite: {code: 'ERR_SQLITE_ERROR', errcode: extended}
  if (code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number')
    return {code: errcode, message: error.message}
  // sqlite3: {code: 'SQLITE_BUSY', errno: primary}, the code's name also before the message
  if (typeof code === 'string' && code.startsWith('SQLITE_') && typeof errno === 'number') {
    return {code: errno, message: error.message.replace(`${code}: `, '')}
  }

  return undefined
}

/** The primary SQLite result code behind an error of either driver, also when it is the cause of a ChopsError. */
export function primaryCode(error: unknown): number | undefined {
  const failure = failureOf(error instanceof ChopsError ? error.cause : error)
  return failure && failure.code & 0xff
}

/**
 * Turns a driver's error into a ChopsError of one sentence that names the file, where the error says something about
 * the file or the machine. Any other error (wrong SQL, a broken constraint) is a bug and is returned unchanged.
 *
 * @param file the database as the caller named it
 */
export function sqliteError(error: unknown, file: string): unknown {
  const failure = failureOf(error)
  if (!failure) return error
  const {code, message} = failure
  const details = {cause: error, file}

  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: {
      return inUse(`${file} is locked by another process.`, {
        ...details,
        next: 'Stop Chroma, or wait until it is idle, then run the command again.',
      })
    }

    case SQLITE_CANTOPEN:
    case SQLITE_PERM: {
      return damaged(`${file} or its journal cannot be opened: ${message}.`, {...details, next: PERMISSIONS})
    }

    case SQLITE_CORRUPT: {
      return damaged(`${file} is damaged: ${message}.`, {...details, next: CHECK})
    }

    case SQLITE_ERROR: {
      const [, kind, missing] = MISSING.exec(message) ?? []
      if (kind !== undefined) {
        return damaged(`The ${kind} ${missing} is missing from ${file}.`, {...details, next: CHECK})
      }

      return UNREADABLE.test(message)
        ? damaged(`${file} is damaged: ${message}.`, {...details, next: CHECK})
        : error
    }

    case SQLITE_FULL: {
      return damaged(`There is no room left to write ${file}: ${message}.`, {
        ...details,
        next: 'Make room on its disk and in the folder for temporary files (SQLITE_TMPDIR), then run the command again.',
      })
    }

    case SQLITE_IOERR: {
      return damaged(`${file} cannot be read or written: ${message}.`, {
        ...details,
        next: 'Look for disk errors in the system log and copy the directory to another disk.',
      })
    }

    case SQLITE_NOTADB: {
      return damaged(`${file} is not an SQLite database, or is encrypted.`, {
        ...details,
        next: 'Restore it from a backup.',
      })
    }

    case SQLITE_READONLY: {
      if (code === SQLITE_READONLY_ROLLBACK) {
        return damaged(`A process was killed while it was writing ${file}.`, {
          ...details,
          next: 'Run the command again: it will read the state before that write.',
        })
      }

      return damaged(`${file} cannot be written: ${message}.`, {...details, next: PERMISSIONS})
    }

    case SQLITE_TOOBIG: {
      return valueTooLong(file, error)
    }

    default: {
      return error
    }
  }
}

/** An INTEGER of a result that a JavaScript number cannot hold exactly. */
export function integerTooLarge(file: string, cause?: unknown): ChopsError {
  return damaged(`${file} holds an integer beyond 2^53 where Chroma never writes one.`, {
    cause,
    file,
    next: CHECK,
  })
}

/** A TEXT or BLOB that is longer than a JavaScript string can be. */
export function valueTooLong(file: string, cause?: unknown): ChopsError {
  return damaged(`${file} holds a value of more than 512 MB, which Chroma never writes.`, {
    cause,
    file,
    next: CHECK,
  })
}

/** A driver that this machine does not have. */
export function driverMissing(message: string, next: string, cause?: unknown): ChopsError {
  return usage(message, {cause, next})
}
