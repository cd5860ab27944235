/** A thread of a repair: see `RepairTeam`. */
import {parentPort, workerData} from 'node:worker_threads'

import {openTable} from '../distance/vector-table.js'
import type {RepairJob} from './job.js'
import {type RepairStep, runStep} from './steps.js'

const job = workerData as RepairJob
const table = openTable(job.table)

parentPort?.on('message', (step: RepairStep) => {
  runStep(job, table, step)
  parentPort?.postMessage('done')
})
