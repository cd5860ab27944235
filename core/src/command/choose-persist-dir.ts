import {homedir} from 'node:os'
import {createInterface} from 'node:readline'

import {usage} from '../errors.js'
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
  const input = createInterface({completer: completeFolder, input: process.stdin, output: process.stderr})
  const close = (): void => input.close()
  signal.addEventListener('abort', close, {once: true})
  input.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const answer = await new Promise<null | string>((resolve) => {
      input.once('close', () => resolve(null))
      input.question('Which persist directory (the folder that holds chroma.sqlite3)? ', resolve)
    })
    if (answer === null) process.stderr.write('\n')
    signal.throwIfAborted()
    if (answer === null || answer.trim() === '') throw missing
    return answer.trim().replace(/^~(?=\/|$)/, homedir())
  } finally {
    signal.removeEventListener('abort', close)
    input.close()
  }
}
