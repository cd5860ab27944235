import {once} from 'node:events'
import {Worker} from 'node:worker_threads'

import type {ScanOptions} from '../files.js'
import {openTable} from '../distance/vector-table.js'
import type {RepairJob} from './job.js'
import {type RepairStep, runStep} from './steps.js'

/** Below this a thread would be done before it has started. */
const ELEMENTS_FOR_THREADS = 2000

const PROGRESS_MS = 100

/** Seen from the sources as well as from what is compiled from them: a thread runs compiled code alone. */
const WORKER = new URL('../../../dist/hnsw/repair/worker.js', import.meta.url)

/** The threads of a repair, which take elements from one another; few elements are worked on without threads. */
export class RepairTeam {
  private readonly workers: Worker[] = []

  constructor(
    private readonly job: RepairJob,
    threads: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    if (job.order.length < ELEMENTS_FOR_THREADS) return
    for (let i = 0; i < threads; i++) this.workers.push(new Worker(WORKER, {execArgv: [], workerData: job}))
  }

  /** Runs a step; `onProgress` counts elements. An abort ends it at once. */
  async run(step: RepairStep, onProgress: ScanOptions['onProgress']): Promise<void> {
    const {job, signal, workers} = this
    const total = job.order.length
    signal?.throwIfAborted()
    Atomics.store(job.progress, 0, 0)
    if (workers.length === 0) runStep(job, openTable(job.table), step)
    else {
      const timer = setInterval(
        () => onProgress?.(Math.min(total, Atomics.load(job.progress, 0)), total),
        PROGRESS_MS,
      )
      try {
        await Promise.all(
          workers.map(async (worker) => {
            worker.postMessage(step)
            await once(worker, 'message', {signal})
          }),
        )
      } catch (error) {
        signal?.throwIfAborted()
        throw error
      } finally {
        clearInterval(timer)
      }
    }

    onProgress?.(total, total)
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()))
  }
}
