import {usage} from '../errors.js'
import {askLine} from './ask-line.js'

/** How long input that is not a terminal may stay silent. */
const SILENCE_MS = 30_000

/**
 * Asks a yes-or-no question on stderr and reads one line of stdin, a terminal or not (`yes | chops ...` works).
 *
 * @returns true for `y` or `yes`; anything else is a no
 * @throws ChopsError `usage` that names `--yes` when the input ends or stays silent without an answer
 */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const silence = process.stdin.isTTY ? undefined : SILENCE_MS
  const answer = await askLine(`${question} [y/N] `, signal, {silence})
  if (answer === null) {
    throw usage('The command asks before it changes anything, and its input ended without an answer.', {
      next: 'Give --yes to run it without the question.',
    })
  }

  return /^y(es)?$/i.test(answer.trim())
}
