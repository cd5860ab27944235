import type {RowDistances} from '../distance/row-distances.js'

import {linkChooser} from './choose.js'
import type {IncomingLinks, RepairJob} from './job.js'
import {mutualLinker} from './mutual.js'

/** A step is done for all elements before the next begins. */
export type RepairStep = {incoming: IncomingLinks; kind: 'link'} | {kind: 'choose'}

/** Elements that a thread takes at a time: a few milliseconds of work. */
const TAKEN_AT_ONCE = 64

/**
 * Opens a step for a thread: each call of what it returns does the step for some elements that no other thread has
 * taken, and is false when none is left.
 */
export function openStep(job: RepairJob, rows: RowDistances, step: RepairStep): () => boolean {
  const {order, progress} = job
  const work = step.kind === 'choose' ? linkChooser(job, rows) : mutualLinker(job, rows, step.incoming)
  return () => {
    const from = Atomics.add(progress, 0, TAKEN_AT_ONCE)
    for (const id of order.subarray(from, from + TAKEN_AT_ONCE)) work(id)
    return from + TAKEN_AT_ONCE < order.length
  }
}
