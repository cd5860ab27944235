import type {Progress} from './progress.js'

import {atMostEvery} from '../at-most-every.js'

/** What a command tells the one that runs it: the step it is at, and how much of that is done in the step's own unit. */
export interface ProgressMessage {
  done: number
  title: string
  total: number
  /** What the step counts, in plural. */
  unit?: string
}

/** A page of records is done in less: nobody could read more than this. */
const INTERVAL_MS = 100

/** Reports the progress of one step to the process that started this one. */
export function relay(title: string, unit?: string): Progress {
  return atMostEvery(INTERVAL_MS, (done, total) => {
    if (!process.connected) return
    const message: ProgressMessage = {done, title, total, ...(unit !== undefined && {unit})}
    // Whoever listened may be gone by now, which is no reason to fail.
    process.send?.(message, undefined, undefined, () => {})
  })
}

/** The progress in a message of a process that `relay` may have sent; undefined for any other message. */
export function progressOf(message: unknown): ProgressMessage | undefined {
  const {done, title, total, unit} = (message ?? {}) as Record<string, unknown>
  if (typeof done !== 'number' || typeof title !== 'string' || typeof total !== 'number') return undefined
  return {done, title, total, ...(typeof unit === 'string' && {unit})}
}
