import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'

const RUN = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/
const PATIENCE_MS = 30_000

/** A `chops` that is still running. */
export interface RunningChops {
  child: ChildProcess
  ended: Promise<{code: null | number; signal: NodeJS.Signals | null; stderr: string}>
}

/** Starts the real `chops` in a process group of its own, as a shell does. */
export function startChops(args: string[]): RunningChops {
  const child = spawn(process.execPath, [RUN, ...args], {detached: true, stdio: ['ignore', 'ignore', 'pipe']})
  const kill = (): void => {
    child.kill('SIGKILL')
  }

  process.once('exit', kill)
  child.once('close', () => process.off('exit', kill))
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as null | number,
    signal: signal as NodeJS.Signals | null,
    stderr,
  }))
  return {child, ended}
}

/** Waits until a new segment folder appears in a directory: a new index is being built. */
export async function newSegmentFolder(persistDir: string, known: string[]): Promise<string> {
  return until(() => readdirSync(persistDir).find((name) => UUID.test(name) && !known.includes(name)))
}

/** Waits until a process has child processes (Linux), and returns their ids. */
export async function childrenOf(pid: number): Promise<number[]> {
  return until(() => {
    const ids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return ids === '' ? undefined : ids.split(' ').map(Number)
  })
}

/** Whether a process runs; one that has ended and only waits for its parent to notice does not. */
export function isRunning(pid: number): boolean {
  const file = `/proc/${pid}/stat`
  return existsSync(file) && !/\) Z /.test(readFileSync(file, 'utf8'))
}

/** Waits until a process that another one started has ended (Linux). */
export async function untilEnded(pid: number): Promise<void> {
  await until(() => (isRunning(pid) ? undefined : true))
}

/** A program that keeps `chroma.sqlite3` open, as a Chroma does, or another file for as long as `work` takes. */
export async function whileOpenElsewhere<T>(
  persistDir: string,
  work: (pid: number) => Promise<T>,
  file = 'chroma.sqlite3',
): Promise<T> {
  const program = `require('fs').openSync(process.argv[1]); process.stdout.write('open'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['-e', program, join(persistDir, file)])
  try {
    await once(holder.stdout, 'data')
    return await work(holder.pid ?? 0)
  } finally {
    holder.kill('SIGKILL')
    await once(holder, 'close')
  }
}

/** Looks again until there is something. */
export async function until<T>(look: () => T | undefined): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error('it did not happen')
    await sleep(5)
  }
}
