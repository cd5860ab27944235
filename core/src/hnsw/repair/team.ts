import {once} from 'node:events'
import {Worker} from 'node:worker_threads'

import type {ScanOptions} from '../files.js'
import type {RowDistances} from '../distance/row-distances.js'
import type {RepairJob} from './job.js'
import {type RepairStep, runStep} from './steps.js'
import type {RepairMessage} from './worker.js'

/** Below this a thread would be done before it has started. */
const ELEMENTS_FOR_THREADS = 2000

const PROGRESS_MS = 100

/** Seen from the sources as well as from what is compiled from them: a thread runs compiled code alone. */
const WORKER = new URL('../../../dist/hnsw/repair/worker.js', import.meta.url)

/** The threads of a repair, which take elements from one another; few elements are worked on without threads. */
export class RepairTeam {
  private readonly workers: Worker[] = []

  /** Starts the threads, which takes them as long as it takes to prepare their work. */
  constructor(
    elements: number,
    threads: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    if (elements < ELEMENTS_FOR_THREADS) return
    for (let i = 0; i < threads; i++) this.workers.push(new Worker(WORKER, {execArgv: []}))
  }

  /** Tells the threads what they work on. */
  open(job: RepairJob): void {
    for (const [thread, worker] of this.workers.entries()) post(worker, {job, kind: 'open', thread})
  }

  /**
   * Runs a step of the job that was opened; `onProgress` counts elements. An abort ends it at once.
   *
   * @param rows for this thread, which works when there is no other
   */
  async run(
    job: RepairJob,
    rows: RowDistances,
    step: RepairStep,
    onProgress: ScanOptions['onProgress'],
  ): Promise<void> {
    const {signal, workers} = this
    const total = job.order.length
    signal?.throwIfAborted()
    Atomics.store(job.progress, 0, 0)
    if (workers.length === 0) runStep(job, rows, step)
    else {
      const timer = setInterval(
        () => onProgress?.(Math.min(total, Atomics.load(job.progress, 0)), total),
        PROGRESS_MS,
      )
      try {
        await Promise.all(
          workers.map(async (worker) => {
            post(worker, step)
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

function post(worker: Worker, message: RepairMessage): void {
  worker.postMessage(message)
}
