import type {Progress, ProgressMessage} from './progress.js'

import {atMostEvery} from '../at-most-every.js'

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
