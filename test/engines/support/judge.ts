import {execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {cpSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import type {ExpectedCollection} from '../../support/fixtures.js'
import {temporaryFolder} from '../../support/fixtures.js'
import type {Engine} from './engines.js'

export type Space = 'cosine' | 'ip' | 'l2'

/** One collection as an engine answers for it: a fixture's `expected.json` has the same form. */
export interface JudgedCollection extends ExpectedCollection {
  /** SHA-256 over all records; equal when ids, vector bytes, documents and metadata are. */
  digest: string
  /** recall@10 of the answers against exact search; null without records. */
  recall: number | null
  /** The space that the distances obey, whatever the configuration says; null without records. */
  space: Space | null
}

export interface Snapshot {
  chroma_version: string
  collections: JudgedCollection[]
}

export interface Verdict {
  ok: boolean
  /** Sentences that begin with `tenant/database/collection:`; a dead or hung engine is one as well. */
  problems: string[]
}

export interface JudgeOptions {
  /** The spaces that were changed on purpose, by collection name or `tenant/database/name`. */
  changedSpace?: Record<string, Space>
  /** Then go on writing, and check again in a new process. True unless given. */
  goOn?: boolean
  /**
   * Whether the engine has built every index itself since the snapshot, from records that it was sent: then a filtered
   * query need not return what no query of that graph reaches. False unless given.
   */
  ownIndex?: boolean
  /** How much lower recall@10 may be than in the snapshot. 0.05 unless given. */
  recallTolerance?: number
  /**
   * How far a vector may be from the snapshot's, relative to its norm, in a cosine collection and where the space
   * changed; elsewhere the bytes must be equal. 0 unless given; 1e-6 covers a normalisation.
   */
  tolerance?: number
}

/** What float32 loses when a cosine vector goes from the log, where it is raw, into the index. */
const NORMALISED = 1e-6
const SECONDS = 180
const JUDGE = fileURLToPath(new URL('../judge.py', import.meta.url))
export const ENVIRONMENT = {
  ANONYMIZED_TELEMETRY: 'False',
  // NumPy's threads wait for work at full speed, and the arrays here are small.
  OPENBLAS_NUM_THREADS: '1',
  // Up to 0.6 the order in which a batch enters the graph follows the hashes of the ids.
  PYTHONHASHSEED: '0',
  PYTHONIOENCODING: 'utf8',
}
const run = promisify(execFile)

/** Writes a new directory with pending log rows (see write_directory.py for its collections) and returns its path. */
export async function writeDirectory(
  engine: Engine,
  {dim = 12, scale = 1, seed = 7}: {dim?: number; scale?: number; seed?: number} = {},
): Promise<string> {
  const dir = join(temporaryFolder(), 'persist')
  await ask(engine, ['write', dir, '--seed', `${seed}`, '--scale', `${scale}`, '--dim', `${dim}`])
  return dir
}

/** What the engine answers about the directory. It reads a copy, since engines apply and purge the log on reading. */
export async function snapshotBy(engine: Engine, dir: string, {seed = 1} = {}): Promise<Snapshot> {
  return ask(engine, ['snapshot', copyOf(dir), '--seed', `${seed}`])
}

/**
 * Lets the engine judge a directory after chops changed it: every record, count, distance and recall as expected;
 * then writing goes on beyond the sync threshold, and a new process finds all of that. Changes the directory.
 */
export async function judgeBy(
  engine: Engine,
  dir: string,
  expected: {collections: ExpectedCollection[]},
  options: JudgeOptions = {},
): Promise<Verdict> {
  const goOn = options.goOn ?? true
  const changed = Object.entries(options.changedSpace ?? {}).flatMap(([name, space]) => [
    '--changed-space',
    `${name}=${space}`,
  ])
  const recall =
    options.recallTolerance === undefined ? [] : ['--recall-tolerance', `${options.recallTolerance}`]
  const tolerance = options.tolerance ?? 0
  const own = options.ownIndex ? ['--own-index'] : []
  const flags = [...changed, ...recall, ...own, '--tolerance', `${tolerance}`, ...(goOn ? ['--go-on'] : [])]
  const first = await verdict(engine, dir, flags, expected)
  if (!first.ok || !first.state) return {ok: first.ok, problems: first.problems}
  const later = [...changed, '--tolerance', `${Math.max(tolerance, NORMALISED)}`, ...recall, ...own]
  const {ok, problems} = await verdict(engine, dir, later, first.state)
  return {ok, problems: problems.map((problem) => `reopened: ${problem}`)}
}

/** Opens a directory of an older Chroma with this one, which migrates it, and touches (or writes to) every collection. */
export async function upgradeBy(
  engine: Engine,
  dir: string,
  {write = false} = {},
): Promise<{count: number; database: string; name: string; tenant: string}[]> {
  const args = ['upgrade', dir, ...(write ? ['--write'] : [])]
  const {collections} = await ask<{
    collections: {count: number; database: string; name: string; tenant: string}[]
  }>(engine, args)
  return collections
}

/** Lets the engine have every collection of a directory open, used and idle, for as long as `work` takes. */
export async function whileHeldBy<T>(
  engine: Engine,
  dir: string,
  work: (pid: number) => Promise<T>,
): Promise<T> {
  const holder = spawn(engine.python, [JUDGE, 'hold', dir], {
    cwd: tmpdir(),
    env: {...process.env, ...ENVIRONMENT},
    timeout: SECONDS * 1000,
  })
  const closed = once(holder, 'close')
  let said = ''
  const isHolding = new Promise<void>((resolve, reject) => {
    holder.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('step: holding')) resolve()
    })
    holder.once('close', () => reject(new EngineFailure(`Chroma ${engine.version} ended: ${said}`)))
  })
  try {
    await isHolding
    return await work(holder.pid ?? 0)
  } finally {
    holder.stdin.end()
    await closed
  }
}

/** Copies a persist directory into a new temporary folder. */
export function copyOf(dir: string): string {
  const copy = join(temporaryFolder(), 'persist')
  cpSync(dir, copy, {recursive: true})
  return copy
}

async function verdict(
  engine: Engine,
  dir: string,
  flags: string[],
  expected: object,
): Promise<Verdict & {state?: Snapshot}> {
  try {
    return await ask(engine, ['judge', dir, '-', ...flags], JSON.stringify(expected))
  } catch (error) {
    if (error instanceof EngineFailure) return {ok: false, problems: [error.message]}
    throw error
  }
}

/** The engine's process died, hung or gave no answer. */
class EngineFailure extends Error {}

/** Runs judge.py under the engine and returns its answer. */
async function ask<T>(engine: Engine, args: string[], input = ''): Promise<T> {
  const running = run(engine.python, [JUDGE, ...args], {
    // Chroma up to 0.5 reads a .env of the working directory.
    cwd: tmpdir(),
    env: {...process.env, ...ENVIRONMENT},
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 29,
    timeout: SECONDS * 1000,
  })
  // A process that died before it read its input is reported by its end, not by the broken pipe.
  running.child.stdin?.on('error', () => {})
  running.child.stdin?.end(input)
  try {
    const {stdout} = await running
    return JSON.parse(stdout) as T
  } catch (error) {
    throw new EngineFailure(failureText(engine, args, error as ProcessFailure), {cause: error})
  }
}

interface ProcessFailure extends Error {
  code?: number | string | null
  killed?: boolean
  signal?: string | null
  stderr?: string
}

function failureText(
  engine: Engine,
  args: string[],
  {code, killed, message, signal, stderr}: ProcessFailure,
): string {
  const lines = (stderr ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.includes('telemetry event'))
  const step = lines.findLast((line) => line.startsWith('step: '))
  const end = killed
    ? `gave no answer within ${SECONDS} s`
    : signal
      ? `died of ${signal}`
      : code === undefined
        ? `gave no JSON (${message})`
        : `ended with exit code ${code}`
  const where = step === undefined ? `${args[0]} ${args[1]}` : step.slice('step: '.length)
  return `${where}: Chroma ${engine.version} ${end}\n${lines.slice(-12).join('\n')}`
}
