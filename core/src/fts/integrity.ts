import type {Database} from '../sqlite/database.js'

import {FTS_TABLE, readFtsDefinition} from './definition.js'
import {checkUpToNul} from './nul.js'
import {causeOf, isAboutTheIndex} from './sqlite-words.js'

/** How SQLite says that the index has other words than FTS5 finds in the texts. */
const OTHER_WORDS = new RegExp(`^malformed inverted index for FTS5 table (?:main\\.)?${FTS_TABLE}$`, 'i')

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
    const complaints = rows.map(({integrity_check: line}) => line).filter((line) => line !== 'ok')
    const [text] = await withoutFalseAlarm(db, complaints)
    return text === undefined ? undefined : `is damaged: ${text}`
  } catch (error) {
    if (!isAboutTheIndex(error)) throw error
    return `cannot be read: ${causeOf(error)}`
  }
}

/**
 * Leaves out what SQLite wrongly says of a full-text index that is just as its engine's SQLite makes it: of a document with
 * a NUL character it has only the words up to there.
 *
 * @param complaints of PRAGMA integrity_check
 */
export async function withoutFalseAlarm(db: Database, complaints: readonly string[]): Promise<string[]> {
  const others = complaints.filter((line) => !OTHER_WORDS.test(line))
  return others.length < complaints.length && (await isSoundUpToNul(db)) ? others : [...complaints]
}

async function isSoundUpToNul(db: Database): Promise<boolean> {
  try {
    const {tokenizer} = await readFtsDefinition(db)
    return tokenizer !== undefined && (await checkUpToNul(db, tokenizer))
  } catch (error) {
    if (!isAboutTheIndex(error)) throw error
    return false
  }
}
