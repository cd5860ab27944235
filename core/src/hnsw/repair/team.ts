import {once} from 'node:events'
import {availableParallelism} from 'node:os'
import {setImmediate} from 'node:timers/promises'
import {Worker} from 'node:worker_threads'

import type {ScanOptions} from '../files.js'
import type {Kernel} from '../kernel/kernel.js'
import type {RepairJob} from './job.js'
import {atMostEvery} from '../../at-most-every.js'
import {openStep, type RepairStep} from './steps.js'
import type {RepairMessage} from './worker.js'

/** Below this a thread would be done before it has started. */
const ELEMENTS_FOR_THREADS = 2000

const PROGRESS_MS = 100

/** Seen from the sources as well as from what is compiled from them: a thread runs compiled code alone. */
const WORKER = new URL('../../../dist/hnsw/repair/worker.js', import.meta.url)

/**
 * The threads of a repair, which take elements from one another. This one is among them: it has done a good part of a
 * small job before the others have started.
 */
export class RepairTeam {
  /** Why a thread has ended that nobody was waiting for. */
  private failure: unknown
  private readonly signal: AbortSignal | undefined
  private readonly workers: Worker[] = []

  /**
   * Starts the other threads, which takes them as long as it takes to prepare their work.
   *
   * @param options.threads all cores without it
   */
  constructor(
    elements: number,
    {
      signal,
      threads = availableParallelism(),
    }: {signal?: AbortSignal | undefined; threads?: number | undefined} = {},
  ) {
    this.signal = signal
    if (elements < ELEMENTS_FOR_THREADS) return
    for (let i = 1; i < threads; i++) {
      const worker = new Worker(WORKER, {execArgv: []})
      worker.once('error', (error: unknown) => {
        this.failure ??= error
      })
      this.workers.push(worker)
    }
  }

  /** This one and the others. */
  get threads(): number {
    return 1 + this.workers.length
  }

  /** Tells the other threads what they work on; this one has the number 0. */
  open(job: RepairJob): void {
    for (const [i, worker] of this.workers.entries()) post(worker, {job, kind: 'open', thread: i + 1})
  }

  /**
   * Runs a step of the job that was opened; `onProgress` counts elements. An abort ends it at once.
   *
   * @param kernel for this thread
   */
  async run(
    kernel: Kernel,
    job: RepairJob,
    step: RepairStep,
    onProgress: ScanOptions['onProgress'],
  ): Promise<void> {
    const {signal, workers} = this
    const total = job.elements
    signal?.throwIfAborted()
    if (this.failure !== undefined) throw this.failure
    Atomics.store(job.progress, 0, 0)
    const others = Promise.all(
      workers.map(async (worker) => {
        post(worker, step)
        await once(worker, 'message', {signal})
      }),
    )
    // Met when this thread has done its part.
    others.catch(() => {})
    const doSome = openStep(kernel, job, step, 0)
    const report = atMostEvery(PROGRESS_MS, (done) => onProgress?.(Math.min(total, done), total))
    while (doSome()) {
      report(Atomics.load(job.progress, 0), total)
      await setImmediate()
      signal?.throwIfAborted()
    }

    await others.catch((error: unknown) => {
      signal?.throwIfAborted()
      throw error
    })
    onProgress?.(total, total)
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()))
  }
}

function post(worker: Worker, message: RepairMessage): void {
  worker.postMessage(message)
}
