import {createInterface} from 'node:readline'

import {usage} from '../errors.js'

/** How long input that is not a terminal may stay silent. */
const SILENCE_MS = 30_000

/**
 * Asks a yes-or-no question on stderr and reads one line of stdin, a terminal or not (`yes | chops ...` works).
 *
 * @returns true for `y` or `yes`; anything else is a no
 * @throws ChopsError `usage` that names `--yes` when the input ends or stays silent without an answer
 */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const input = createInterface({input: process.stdin, output: process.stderr, terminal: process.stdin.isTTY})
  const silence = process.stdin.isTTY ? undefined : setTimeout(() => input.close(), SILENCE_MS)
  const close = (): void => input.close()
  signal.addEventListener('abort', close, {once: true})
  input.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const answer = await new Promise<null | string>((resolve) => {
      input.once('close', () => resolve(null))
      input.question(`${question} [y/N] `, resolve)
    })
    if (answer === null && process.stdin.isTTY) process.stderr.write('\n')
    signal.throwIfAborted()
    if (answer === null) {
      throw usage('The command asks before it changes anything, and its input ended without an answer.', {
        next: 'Give --yes to run it without the question.',
      })
    }

    return /^y(es)?$/i.test(answer.trim())
  } finally {
    clearTimeout(silence)
    signal.removeEventListener('abort', close)
    input.close()
  }
}
