import {homedir} from 'node:os'

import {usage} from '../errors.js'
import {askLine} from './ask-line.js'
import {completeFolder} from './complete-folder.js'
import {PERSIST_DIR_VARIABLE} from './flags.js'

/**
 * The persist directory when the command line names none: the one of `CHROMA_PERSIST_DIR`, else the answer to a question
 * in a terminal, where Tab completes folders and `~` is the home folder.
 *
 * @throws ChopsError `usage` off a terminal, and without an answer
 */
export async function choosePersistDir(signal: AbortSignal): Promise<string> {
  const known = process.env[PERSIST_DIR_VARIABLE]
  if (known) return known
  const missing = usage('Which directory is meant: PERSIST_DIR is missing.', {
    next: `Give the folder that holds chroma.sqlite3 as the first argument, or set ${PERSIST_DIR_VARIABLE}.`,
  })
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw missing
  const question = 'Which persist directory (the folder that holds chroma.sqlite3)? '
  const answer = (await askLine(question, signal, {completer: completeFolder}))?.trim() ?? ''
  if (answer === '') throw missing
  return answer.replace(/^~(?=\/|$)/, homedir())
}
