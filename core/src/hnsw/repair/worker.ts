/** A thread of a repair: see `RepairTeam`. */
import {parentPort} from 'node:worker_threads'

import type {Kernel} from '../kernel/kernel.js'
import type {RepairJob} from './job.js'
import {openStep, repairKernel, type RepairStep} from './steps.js'

/** What a thread is told: first what it works on, then a step at a time, each of which it answers. */
export type RepairMessage = RepairStep | {job: RepairJob; kind: 'open'; thread: number}

let opened: undefined | {job: RepairJob; kernel: Kernel; thread: number}

parentPort?.on('message', (message: RepairMessage) => {
  if (message.kind === 'open') {
    const {job, thread} = message
    opened = {job, kernel: repairKernel(job), thread}
  } else if (opened) {
    const doSome = openStep(opened.kernel, opened.job, message, opened.thread)
    while (doSome());
    parentPort?.postMessage('done')
  }
})
