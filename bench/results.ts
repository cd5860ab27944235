import type {Run} from './run.js'

export interface Spread {
  max: number
  median: number
  min: number
}

/** What was measured of one command, beside another that ran in turns with it. */
export interface Comparison {
  base: {name: string; seconds: Spread}
  /** Most that chops wants to take, in times of the base. */
  goal?: number
  /** The largest peak of all runs, in bytes, and the most that chops wants to take. */
  memory?: {goal?: number; peak: number}
  name: string
  /** What was read for each byte that the base read, and the most that chops wants to read. */
  read?: {goal: number; ratio: number}
  /** Of each round the time of the command divided by that of the base. */
  ratio: Spread
  rounds: number
  seconds: Spread
}

export interface Skipped {
  name: string
  skipped: string
}

export type Row = Comparison | Skipped

export interface Measured {
  name: string
  runs: readonly Run[]
}

/** Compares the runs of a command with the runs of a base in the same rounds. */
export function compare(
  command: Measured,
  base: Measured,
  goals: {memory?: number; ratio?: number; read?: number} = {},
): Comparison {
  const {name, runs} = command
  const peaks = runs.map((run) => run.peakMemory).filter((peak) => peak !== undefined)
  const peak = Math.max(...peaks)
  return {
    base: {name: base.name, seconds: spreadOf(base.runs.map((run) => run.seconds))},
    ...(goals.ratio !== undefined && {goal: goals.ratio}),
    ...(peaks.length > 0 && {memory: {...(goals.memory !== undefined && {goal: goals.memory}), peak}}),
    name,
    ...(goals.read !== undefined && {read: {goal: goals.read, ratio: bytesOf(runs) / bytesOf(base.runs)}}),
    ratio: spreadOf(runs.map((run, round) => run.seconds / (base.runs[round]?.seconds ?? Number.NaN))),
    rounds: runs.length,
    seconds: spreadOf(runs.map((run) => run.seconds)),
  }
}

/** NaN where it is not known, for which no goal is met. */
function bytesOf(runs: readonly Run[]): number {
  return runs.reduce((sum, {bytesRead}) => sum + (bytesRead ?? Number.NaN), 0)
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return {
    max: at(sorted.length - 1),
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
  }
}
