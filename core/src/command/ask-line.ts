import {type AsyncCompleter, type Completer, createInterface} from 'node:readline'

export interface AskOptions {
  /** What Tab completes. */
  completer?: AsyncCompleter | Completer | undefined
  /** How long input may stay silent, in milliseconds; for ever without it. */
  silence?: number | undefined
}

/**
 * Asks on stderr and reads one line of stdin, a terminal or not.
 *
 * @returns null when the input ends, or stays silent, without an answer
 */
export async function askLine(
  question: string,
  signal: AbortSignal,
  {completer, silence}: AskOptions = {},
): Promise<null | string> {
  const {isTTY} = process.stdin
  const input = createInterface({completer, input: process.stdin, output: process.stderr, terminal: isTTY})
  const close = (): void => input.close()
  const timer = silence === undefined ? undefined : setTimeout(close, silence)
  signal.addEventListener('abort', close, {once: true})
  input.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const answer = await new Promise<null | string>((resolve) => {
      input.once('close', () => resolve(null))
      input.question(question, resolve)
    })
    if (answer === null && isTTY) process.stderr.write('\n')
    signal.throwIfAborted()
    return answer
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', close)
    input.close()
  }
}
