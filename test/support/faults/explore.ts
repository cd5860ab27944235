import {cpSync, mkdirSync, rmSync} from 'node:fs'
import {join} from 'node:path'

import {EXIT_CODE} from '../../../core/src/command/exit-codes.js'
import {temporaryFolder} from '../fixtures.js'
import {type FaultedRun, type FaultKind, type Point, runFaulted} from './faulted-run.js'

/** How a run ended: with exit code 0, with an error or Ctrl-C, or by a kill. */
export type Ending = 'done' | 'failed' | 'killed'

/** One run with one fault, when it is over. */
export interface Visit {
  ending: Ending
  /** Absent in the run that only counts. */
  kind: FaultKind | undefined
  /** From 1; 0 in the run that only counts. */
  number: number
  /** Absent when the run did not get that far. */
  point: Point | undefined
  run: FaultedRun
}

export interface ExploreOptions {
  args: (persistDir: string) => string[]
  /** Instead of a step: tries no more pairs than this, spread evenly. */
  atMost?: number
  /** What is wrong with the directory after a run; also asked after the run that only counts. */
  check: (persistDir: string, visit: Visit) => Promise<string[]> | string[]
  env?: Record<string, string>
  kinds: readonly FaultKind[]
  /** Which points to try; all of them without it. */
  only?: (point: Point) => boolean
  /** The directory of which every run gets a copy. */
  prepare: () => string
  /** The script to run; `chops` without it. */
  script?: string
  /** Every which of all pairs of point and kind to try; all of them with 1. */
  step?: number
}

export interface Summary {
  /** Runs by kind and ending, for example `EIO: exit 4`. */
  byOutcome: Record<string, number>
  points: Point[]
  runs: number
}

const PARALLEL = 2
const SHOWN = 100
const TAKES_ROOM = new Set([
  'appendFile',
  'copyFile',
  'mkdir',
  'native save',
  'open',
  'sql',
  'sync',
  'write',
  'writeFile',
])

/**
 * Runs a command once to count its points, then once for each point and kind of fault (or every `step`-th), each time
 * on a fresh copy of the directory, and looks at what it leaves.
 *
 * @throws Error that lists `point n (name path): what was wrong`
 */
export async function explorePoints(options: ExploreOptions): Promise<Summary> {
  const source = options.prepare()
  const complaints: string[] = []
  const byOutcome: Record<string, number> = {}
  const visitPoint = async (number: number, kind?: FaultKind): Promise<FaultedRun> => {
    const {complaint, outcome, run} = await visit(source, options, number, kind)
    byOutcome[outcome] = (byOutcome[outcome] ?? 0) + 1
    if (complaint !== undefined) complaints.push(complaint)
    return run
  }

  const {trace: points} = await visitPoint(0)
  const {atMost = Infinity, kinds, only = () => true} = options
  const all = points.flatMap((point, index) =>
    kinds.filter((kind) => only(point) && applies(kind, point)).map((kind) => ({kind, number: index + 1})),
  )
  const step = options.step ?? Math.max(1, Math.ceil(all.length / atMost))
  const pairs = all.filter((_, index) => index % step === step >> 1)
  const queue = pairs.values()
  const work = async (): Promise<void> => {
    for (const {kind, number} of queue) await visitPoint(number, kind)
  }

  await Promise.all(Array.from({length: PARALLEL}, work))
  const summary = {byOutcome, points, runs: pairs.length + 1}
  if (complaints.length > 0) throw new Error(complaintText(complaints, summary))
  return summary
}

/** Between two points nothing changes, so that a kill at a mere SELECT is one after the point before. */
function applies(kind: FaultKind, {bytes = 0, changes, name}: Point): boolean {
  if (kind === 'EIO') return true
  if (kind === 'kill torn') return bytes > 1
  return changes && (kind !== 'ENOSPC' || TAKES_ROOM.has(name))
}

async function visit(
  source: string,
  {args, check, env, script}: ExploreOptions,
  number: number,
  kind: FaultKind | undefined,
): Promise<{complaint: string | undefined; outcome: string; run: FaultedRun}> {
  const scratch = temporaryFolder()
  const persistDir = join(scratch, 'persist')
  mkdirSync(persistDir)
  cpSync(source, persistDir, {recursive: true})
  const fault = kind && {kind, number}
  const run = await runFaulted({args: args(persistDir), env, fault, scratch, script})
  const ending = endingOf(run)
  const point = run.trace[number - 1]
  const problems = endProblems(run, ending, fault && point && kind)
  try {
    problems.push(...(await check(persistDir, {ending, kind, number, point, run})))
  } catch (error) {
    problems.push(`the check ends with ${error instanceof Error ? error.message : String(error)}`)
  }

  rmSync(scratch, {force: true, recursive: true})
  const where = kind
    ? `point ${number} (${point ? `${point.name} ${point.detail}` : 'not reached'})`
    : 'no fault'
  const complaint =
    problems.length === 0
      ? undefined
      : `${where}, ${kind ?? 'whole run'}, ${endText(run)}: ${problems.join('; ')}`.replaceAll(scratch, '')
  return {complaint, outcome: `${kind ?? 'no fault'}: ${endText(run)}`, run}
}

function endingOf({code, signal}: FaultedRun): Ending {
  if (signal === 'SIGKILL') return 'killed'
  return code === 0 ? 'done' : 'failed'
}

function endText({code, signal}: FaultedRun): string {
  return signal ?? `exit ${code}`
}

/** What is wrong with the way a run ended, whatever it left in the directory. */
function endProblems(run: FaultedRun, ending: Ending, kind: FaultKind | undefined): string[] {
  const {code, leftInTemporary, leftProcess, signal, stderr, stdout, timedOut} = run
  const problems: string[] = []
  const isKill = kind?.startsWith('kill') ?? false
  const lines = stderr.trim().split('\n')
  const said = lines.find((line) => line.startsWith('Error')) ?? lines.at(-1) ?? ''
  if (timedOut) problems.push('it hangs')
  else if (isKill !== (ending === 'killed')) problems.push('it ends in another way than the fault asks for')
  if (signal !== null && ending !== 'killed' && kind !== 'SIGINT') problems.push(`it dies: ${said}`)
  if (kind === undefined && ending === 'failed') problems.push(`it fails by itself: ${said}`)
  if (code === EXIT_CODE.bug || /^\s+at .+:\d+:\d+\)?$/m.test(stderr))
    problems.push(`it calls the fault a bug: ${said}`)
  // A check says on stdout what it found, an unreadable database among it.
  const hasFindings = code === EXIT_CODE.findings && stdout !== ''
  if (code !== 0 && code !== null && said === '' && !hasFindings) problems.push('it fails without a word')
  if (leftProcess) problems.push('a process outlives it')
  if (!isKill && leftInTemporary.length > 0)
    problems.push(`it leaves ${leftInTemporary.join(', ')} in TMPDIR`)
  return problems
}

function complaintText(complaints: string[], {byOutcome, points, runs}: Summary): string {
  const shown = complaints.slice(0, SHOWN).map((complaint) => `  ${complaint}`)
  const more = complaints.length > SHOWN ? [`  and ${complaints.length - SHOWN} more`] : []
  const outcomes = Object.entries(byOutcome).map(([outcome, count]) => `${count} x ${outcome}`)
  return [
    `${complaints.length} of ${runs} runs over ${points.length} points went wrong (${outcomes.join(', ')}):`,
    ...shown,
    ...more,
  ].join('\n')
}
