import {setTimeout as sleep} from 'node:timers/promises'

import {ServerError} from './server-error.js'

export interface RetryOptions {
  /** Nothing of the server was heard before, and its address may be wrong: that it cannot be reached is told at once. */
  isFirst?: boolean | undefined
  /** Told about each attempt that failed and is going to be repeated. */
  onRetry?: ((error: ServerError) => void) | undefined
  /** How long one request may fail before it is given up, in milliseconds; 0 never tries again. */
  patience: number
  signal: AbortSignal
}

const FIRST_WAIT = 250
const LONGEST_WAIT = 8000

/**
 * Repeats a request that failed in a way that passes (no answer, 408, 429, 5xx), with waits that double, are spread by
 * chance and are not shorter than the server asks for. What the server refuses (any other 4xx) fails at once.
 */
export async function retrying<T>(request: () => Promise<T>, options: RetryOptions): Promise<T> {
  const {isFirst = false, onRetry, patience, signal} = options
  let since: number | undefined
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      return await request()
    } catch (error) {
      signal.throwIfAborted()
      since ??= Date.now()
      if (!(error instanceof ServerError) || !error.isPassing) throw error
      if (isFirst && error.status === undefined) throw error
      const asked = 1000 * (error.options.retryAfter ?? 0)
      const pause = Math.max(asked, wait * (0.5 + Math.random() / 2))
      if (Date.now() - since + pause > patience) throw error
      onRetry?.(error)
      await sleep(pause, undefined, {signal})
    }
  }
}
