import type {RowDistances} from '../distance/row-distances.js'

import {linkChooser} from './choose.js'
import type {IncomingLinks, RepairJob} from './job.js'
import {mutualLinker} from './mutual.js'

/** A step is done for all elements before the next begins. */
export type RepairStep = {incoming: IncomingLinks; kind: 'link'} | {kind: 'choose'}

/** Elements that a thread takes at a time. */
const TAKEN_AT_ONCE = 64

/** Does a step for elements that no other thread has taken, until none is left. */
export function runStep(job: RepairJob, rows: RowDistances, step: RepairStep): void {
  const {order, progress} = job
  const work = step.kind === 'choose' ? linkChooser(job, rows) : mutualLinker(job, rows, step.incoming)
  while (true) {
    const from = Atomics.add(progress, 0, TAKEN_AT_ONCE)
    if (from >= order.length) return
    for (const id of order.subarray(from, from + TAKEN_AT_ONCE)) work(id)
  }
}
