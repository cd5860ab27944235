import type {Database} from '../sqlite/database.js'

import {ChopsError, usage} from '../errors.js'
import {tokenizeClause} from './definition.js'
import {causeOf, isAboutTheIndex} from './sqlite-words.js'

const PROBE = 'temp.chops_tokenizer_probe'

/**
 * Makes sure that SQLite has a tokenizer and takes its options, by using it in a table in memory. Works on a read-only
 * connection.
 *
 * @throws ChopsError `usage`
 */
export async function requireTokenizer(db: Database, tokenizer: string): Promise<void> {
  // SQL ends at a NUL character, which would cut the statement in two.
  if (tokenizer.trim() === '' || tokenizer.includes('\0'))
    throw unknownTokenizer(tokenizer, 'no such tokenizer')
  try {
    await db.exec('PRAGMA temp_store = MEMORY')
    await db.exec(`CREATE VIRTUAL TABLE ${PROBE} USING fts5(text, ${tokenizeClause(tokenizer)})`)
    await db.run(`INSERT INTO ${PROBE} (text) VALUES (?)`, ['a few words'])
  } catch (error) {
    if (!isAboutTheIndex(error)) throw error
    throw unknownTokenizer(tokenizer, causeOf(error), error)
  } finally {
    await db.exec(`DROP TABLE IF EXISTS ${PROBE}`).catch(() => {})
    // A VACUUM of this connection would hold its whole copy in memory.
    await db.exec('PRAGMA temp_store = DEFAULT')
  }
}

function unknownTokenizer(tokenizer: string, reason: string, cause?: unknown): ChopsError {
  return usage(`SQLite cannot use the tokenizer ${JSON.stringify(tokenizer)}: ${reason}.`, {
    cause,
    next: 'Take trigram (what Chroma expects), unicode61, ascii or porter, with options as in "unicode61 remove_diacritics 2".',
  })
}
