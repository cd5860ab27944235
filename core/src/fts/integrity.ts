import type {Database} from '../sqlite/database.js'

import {primaryCode, SQLITE_CORRUPT, SQLITE_ERROR} from '../sqlite/errors.js'
import {FTS_TABLE, readFtsDefinition} from './definition.js'

/**
 * Says what is wrong with the full-text index in itself: its definition, its tables, and whether the index has exactly
 * the words of the texts that it keeps. It is FTS5's own `integrity-check`, in the form that only reads (since SQLite
 * 3.44, which both drivers bring): it works on a read-only connection.
 *
 * Reads and tokenizes every text: a few seconds for 100,000 documents. Whether these are the texts of the records is
 * another question.
 *
 * @returns the end of a sentence that begins with the table's name; undefined when all is well
 */
export async function findFtsProblem(db: Database): Promise<string | undefined> {
  const {missing, sql} = await readFtsDefinition(db)
  if (sql === undefined) return 'is missing'
  if (missing.length > 0) return `lacks ${missing.join(', ')}`
  try {
    const rows = await db.all<{integrity_check: string}>(`PRAGMA integrity_check('${FTS_TABLE}')`)
    const [text = 'ok'] = rows.map(({integrity_check: line}) => line)
    return text === 'ok' ? undefined : `is damaged: ${text}`
  } catch (error) {
    if (!isAboutTheIndex(error)) throw error
    return `cannot be read: ${causeOf(error)}`
  }
}

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
