import {spawn} from 'node:child_process'
import {existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'

/**
 * What happens at a point. The kills end all processes at once: before the call, after it, or with half of its data
 * written. `EIO` and `ENOSPC` fail the call, the latter with half of its data written; `EIO after` lets it take effect
 * and fails it all the same. `SIGINT` is Ctrl-C.
 */
export const FAULT_KINDS = [
  'kill before',
  'kill after',
  'kill torn',
  'EIO',
  'EIO after',
  'ENOSPC',
  'SIGINT',
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

/** One call that can leave a mark on the disk. */
export interface Point {
  /** Bytes that it writes, where it is a write. */
  bytes?: number
  /** False for SQL that only reads. */
  changes: boolean
  /** A path, or the beginning of an SQL statement. */
  detail: string
  name: string
}

export interface Fault {
  kind: FaultKind
  /** From 1. */
  number: number
}

export interface FaultedRun {
  code: null | number
  /** Names of what it left in the folder for temporary files. */
  leftInTemporary: string[]
  /** Whether a process that it had started outlived it. */
  leftProcess: boolean
  signal: NodeJS.Signals | null
  stderr: string
  stdout: string
  timedOut: boolean
  /** The points that it reached, in order. */
  trace: Point[]
}

export interface RunOptions {
  args: readonly string[]
  env?: Record<string, string> | undefined
  fault?: Fault | undefined
  /** A folder of its own for the trace and for temporary files. */
  scratch: string
  /** The script to run; `chops` without it. */
  script?: string | undefined
}

const CHOPS = fileURLToPath(new URL('../../../bin/run.js', import.meta.url))
const PRELOAD = new URL('preload.mjs', import.meta.url).href
const TIMEOUT_MS = 60_000
/** A child that notices the end of its parent may take a moment to go. */
const PATIENCE_MS = 2000

/** Runs `chops`, or a script, in a process group of its own, and lets the fault happen at its point. */
export async function runFaulted({
  args,
  env,
  fault,
  scratch,
  script = CHOPS,
}: RunOptions): Promise<FaultedRun> {
  const temporary = join(scratch, 'tmp')
  const traceFile = join(scratch, 'trace')
  mkdirSync(temporary, {recursive: true})
  const child = spawn(process.execPath, [script, ...args], {
    // A group leader, because a fault kills the whole group: this process must not be in it.
    detached: true,
    env: {
      ...process.env,
      CHOPS_FAULT_TRACE: traceFile,
      NODE_OPTIONS: `--import ${PRELOAD}`,
      TMPDIR: temporary,
      ...(fault && {CHOPS_FAULT: `${fault.kind}@${fault.number}`}),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const {pid} = child
  if (pid === undefined) throw new Error(`${process.execPath} cannot be started`)
  let timedOut = false
  const timer = globalThis.setTimeout(() => {
    timedOut = true
    process.kill(-pid, 'SIGKILL')
  }, TIMEOUT_MS)
  const closed = new Promise<Pick<FaultedRun, 'code' | 'signal'>>((resolve) => {
    child.once('close', (code, signal) => resolve({code, signal}))
  })
  const [stdout, stderr, ending] = await Promise.all([textOf(child.stdout), textOf(child.stderr), closed])
  clearTimeout(timer)
  return {
    ...ending,
    leftInTemporary: readdirSync(temporary),
    leftProcess: await outlived(pid),
    stderr,
    stdout,
    timedOut,
    trace: readTrace(traceFile),
  }
}

function readTrace(file: string): Point[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Point)
}

async function outlived(group: number): Promise<boolean> {
  for (let waited = 0; hasProcess(group); waited += 20) {
    if (waited >= PATIENCE_MS) {
      process.kill(-group, 'SIGKILL')
      return true
    }

    await setTimeout(20)
  }

  return false
}

function hasProcess(group: number): boolean {
  try {
    return process.kill(-group, 0)
  } catch {
    return false
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}
