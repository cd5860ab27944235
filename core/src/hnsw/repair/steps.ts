import type {Kernel} from '../kernel/kernel.js'
import {rowsKernel} from '../distance/shared-rows.js'
import type {IncomingLinks, RepairJob} from './job.js'

/** A step is done for all elements before the next begins; each thread has a room of its own for it, one behind the other. */
export type RepairStep = {
  /** Address of the first room. */
  rooms: number
  /** Of each room, in bytes. */
  roomSize: number
} & ({incoming: IncomingLinks; kind: 'link'} | {kind: 'choose'})

/** Elements that a thread takes at a time: a few milliseconds of work. */
const TAKEN_AT_ONCE = 64

/** The kernel over what a job shares, for one thread. */
export function repairKernel({lists, next, old, rows}: RepairJob): Kernel {
  const kernel = rowsKernel(rows)
  kernel.openRepair(old, next, lists, 'rounded' in rows)
  return kernel
}

/**
 * Opens a step for a thread: each call of what it returns does the step for some elements that no other thread has
 * taken, and is false when none is left.
 */
export function openStep(
  kernel: Kernel,
  {elements, progress}: RepairJob,
  step: RepairStep,
  thread: number,
): () => boolean {
  if (step.kind === 'link') kernel.openIncoming(step.incoming.starts, step.incoming.ids, step.incoming.most)
  const work = step.kind === 'choose' ? kernel.chooseLinks : kernel.linkBack
  const room = step.rooms + thread * step.roomSize
  return () => {
    const from = Atomics.add(progress, 0, TAKEN_AT_ONCE)
    if (from < elements) work(room, from, Math.min(from + TAKEN_AT_ONCE, elements))
    return from + TAKEN_AT_ONCE < elements
  }
}
