/** A thread of a repair: see `RepairTeam`. */
import {parentPort} from 'node:worker_threads'

import type {RowDistances} from '../distance/row-distances.js'
import {openRows} from '../distance/shared-rows.js'
import type {RepairJob} from './job.js'
import {openStep, type RepairStep} from './steps.js'

/** What a thread is told: first what it works on, then a step at a time, each of which it answers. */
export type RepairMessage = RepairStep | {job: RepairJob; kind: 'open'; thread: number}

let opened: undefined | {job: RepairJob; rows: RowDistances}

parentPort?.on('message', (message: RepairMessage) => {
  if (message.kind === 'open') {
    const {job, thread} = message
    opened = {job, rows: openRows(job.rows, thread)}
  } else if (opened) {
    const doSome = openStep(opened.job, opened.rows, message)
    while (doSome());
    parentPort?.postMessage('done')
  }
})
