import {spawn} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {performance} from 'node:perf_hooks'
import {Readable} from 'node:stream'
import {text} from 'node:stream/consumers'

/** A program with its arguments. */
export interface Command {
  args: readonly string[]
  file: string
  /** A Node program, which can be asked for its peak memory. */
  isNode?: boolean
}

/** One run of a command, from spawn to exit. */
export interface Run {
  /** By the command and its children, page cache included; only where there is a /proc. */
  bytesRead?: number
  /** Bytes; only of a Node program that was asked for it, or with its children. */
  peakMemory?: number
  seconds: number
}

export interface InterleaveOptions {
  /** The peak of the process, or, where there is a /proc, of it and its children together, looked at every 10 ms. */
  memory?: boolean | 'with children'
  /** Comes before each run and is not timed. */
  prepare?: () => Promise<void>
  rounds: number
}

/**
 * Writes the peak to file descriptor 3 when the process exits. VmHWM belongs to the program alone; ru_maxrss, which
 * stands in for it outside Linux, begins with what the process that started it had in memory.
 */
const REPORT_PEAK = `
import {readFileSync, writeSync} from 'node:fs'
process.on('exit', () => {
  const onLinux = process.platform === 'linux' && /^VmHWM:\\s*(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))
  writeSync(3, String(1024 * Number(onLinux ? onLinux[1] : process.resourceUsage().maxRSS)))
})`

const WITH_PEAK = ['--import', `data:text/javascript,${encodeURIComponent(REPORT_PEAK)}`]

const ENVIRONMENT = {
  ...process.env,
  // The Python tool would otherwise wait for its telemetry server.
  ANONYMIZED_TELEMETRY: 'False',
  // Node 20 would read the certificates of the system at every start, and nothing here has use for them.
  NODE_EXTRA_CA_CERTS: undefined,
}

/**
 * Runs a command with its output discarded.
 *
 * @throws Error with what it wrote to stderr when it does not exit with 0: a failure must not count as a fast run
 */
export async function run(
  {args, file, isNode}: Command,
  memory: InterleaveOptions['memory'] = false,
): Promise<Run> {
  const asksPeak = memory === true && isNode === true
  const readBefore = bytesReadSoFar()
  const start = performance.now()
  const child = spawn(file, asksPeak ? [...WITH_PEAK, ...args] : args, {
    env: ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe', asksPeak ? 'pipe' : 'ignore'],
  })
  let familyPeak = 0
  const watch = setInterval(
    () => {
      if (memory === 'with children') familyPeak = Math.max(familyPeak, memoryOfFamily(child.pid ?? 0))
    },
    memory === 'with children' ? 10 : 1e9,
  )
  const exit = new Promise<{code: null | number; seconds: number}>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve({code, seconds: (performance.now() - start) / 1000}))
  })
  const [{code, seconds}, stderr, peak] = await Promise.all([
    exit,
    textOf(child.stdio[2]),
    textOf(child.stdio[3]),
  ]).finally(() => clearInterval(watch))
  if (code !== 0) throw new Error(`${[file, ...args].join(' ')} failed (${code}): ${stderr}`)
  const peakMemory = asksPeak ? Number(peak) : familyPeak
  return {
    ...(readBefore !== undefined && {bytesRead: (bytesReadSoFar() ?? readBefore) - readBefore}),
    ...(peakMemory > 0 && {peakMemory}),
    seconds,
  }
}

/**
 * Runs the commands one after the other, round by round, so that what else the machine does hits all of them.
 * A first round is not counted: it fills the caches.
 *
 * @returns the runs of each command by its name, in the order of the rounds
 */
export async function interleave(
  commands: Readonly<Record<string, Command>>,
  {memory, prepare, rounds}: InterleaveOptions,
): Promise<Map<string, Run[]>> {
  const runs = new Map<string, Run[]>(Object.keys(commands).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, command] of Object.entries(commands)) {
      await prepare?.()
      const done = await run(command, memory)
      if (round > 0) runs.get(name)?.push(done)
    }
  }

  return runs
}

/** What this process and the children that it waited for have read; undefined where that cannot be known. */
function bytesReadSoFar(): number | undefined {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1])
  } catch {
    return undefined
  }
}

/** Bytes in the resident sets of a process and its children; 0 where that cannot be read. */
function memoryOfFamily(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
    return [String(pid), ...children].reduce((sum, id) => {
      const found = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'latin1'))
      return sum + 1024 * Number(found?.[1] ?? 0)
    }, 0)
  } catch {
    return 0
  }
}

async function textOf(stream: unknown): Promise<string> {
  return stream instanceof Readable ? text(stream) : ''
}
