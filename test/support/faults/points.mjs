/**
 * The points of a tree of processes: every call that can leave a mark on the disk, numbered from 1 in the order in which
 * the calls begin, and what happens to the one that CHOPS_FAULT names (`<kind>@<number>`).
 *
 * The numbers come from CHOPS_FAULT_TRACE, to which every process and thread appends one line of JSON for each point: an
 * append is atomic, so a point's number is that of its line. Being on the disk it also tells afterwards how far a killed
 * run got.
 */
import {Buffer} from 'node:buffer'
import fs from 'node:fs'
import process from 'node:process'
import {threadId} from 'node:worker_threads'

// Taken before anything is wrapped: the trace itself is no point.
const {openSync, readSync, writeSync} = fs

const [kind, number] = (process.env.CHOPS_FAULT ?? '').split('@')
/** The first process of the tree, which leads the process group: children inherit the variable. */
process.env.CHOPS_FAULT_LEADER ??= String(process.pid)
const leader = Number(process.env.CHOPS_FAULT_LEADER)

const trace = openSync(process.env.CHOPS_FAULT_TRACE, 'a+')
const chunk = Buffer.alloc(64 * 1024)
let unread = ''
let position = 0
let lines = 0
let marks = 0

function numberOf(point) {
  const mark = `${process.pid}.${threadId}.${marks++}`
  writeSync(trace, `${JSON.stringify({...point, mark})}\n`)
  for (;;) {
    const length = readSync(trace, chunk, 0, chunk.length, position)
    position += length
    unread += chunk.toString('latin1', 0, length)
    for (let end = unread.indexOf('\n'); end !== -1; end = unread.indexOf('\n')) {
      const line = unread.slice(0, end)
      unread = unread.slice(end + 1)
      lines += 1
      if (line.endsWith(`"mark":"${mark}"}`)) return lines
    }
  }
}

/** Ends all processes of the tree at once, as a power cut would. */
export function kill() {
  try {
    process.kill(-leader, 'SIGKILL')
  } finally {
    // Whoever started this process did not make it the leader of a group.
    process.kill(process.pid, 'SIGKILL')
  }
}

/**
 * Takes the next number for a point and returns the fault that the wrapper of the call has to carry out, if this is the
 * point; a kill or a Ctrl-C before the call happens right here.
 */
export function reach(point) {
  if (numberOf(point) !== Number(number)) return
  if (kind === 'kill before') kill()
  if (kind !== 'SIGINT') return kind
  process.kill(-leader, 'SIGINT')
}
