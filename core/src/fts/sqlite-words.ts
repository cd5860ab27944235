import {primaryCode, SQLITE_CORRUPT, SQLITE_ERROR} from '../sqlite/errors.js'

/** Not a lock, nor a disk that fails. FTS5 reports much of what it meets as a plain SQL logic error. */
export function isAboutTheIndex(error: unknown): boolean {
  const code = primaryCode(error)
  return code === SQLITE_CORRUPT || code === SQLITE_ERROR
}

/** What SQLite itself said, without the driver's prefix. */
export function causeOf(error: unknown): string {
  const {cause} = error as {cause?: unknown}
  const {message} = (cause instanceof Error ? cause : error) as Error
  return message.replace(/^SQLITE_\w+: /, '')
}
