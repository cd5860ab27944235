import {execFileSync, spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, renameSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {Engine, EngineVersion} from '../engines/support/engines.js'
import type {Round} from './rounds.js'

import {chops} from '../support/cli.js'
import {FakeChroma} from '../support/fake-chroma.js'
import {runFaulted} from '../support/faults/faulted-run.js'
import {temporaryFolder} from '../support/fixtures.js'
import {DIRECTORY, isBuilt, SERVER} from './commands.js'
import {type Answer, type Dumped, queryProblems, recordProblems} from './compare.js'
import {type RunningEngine, withEngine} from './engine-turn.js'
import {copyOf, Model, type ModelCollection, type Place} from './model.js'

const RUN = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const K = 5
const QUERIES = 4
/** Of a command that has not run yet. */
const USUAL_MS = 800

/** Findings of `db check`: folders that nobody owns, and deleted elements in an index. */
const LITTER = new Set(['H17', 'H2'])

/** 0.4 leaves the text of a deleted record, and a new one without a document that gets its number has it. */
const OLD_TEXTS = /^0 documents that the full-text table lacks/
const HAS_OLD_TEXTS: EngineVersion = '0.4.24'

const OFF_BY_ONE: ReadonlySet<EngineVersion> = new Set(['0.4.24', '0.5.5'])

export interface Failure {
  /** Of the round that failed, from 0. */
  at: number
  persistDir: string
  problem: string
}

export type Engines = ReadonlyMap<EngineVersion, Engine>

type ChopsRound = Extract<Round, {turn: 'chops'}>
type EngineRound = Extract<Round, {turn: 'engine'}>

/** Runs rounds on a new directory until one fails, or to the end. `onRound` hears what each has done. */
export async function runRounds(
  rounds: readonly Round[],
  engines: Engines,
  onRound: (index: number, text: string) => void = () => {},
): Promise<Failure | undefined> {
  const persistDir = join(temporaryFolder(), 'persist')
  mkdirSync(persistDir)
  const server = await new FakeChroma().start()
  const soak = new Soak(persistDir, engines, server)
  try {
    for (const [index, round] of rounds.entries()) {
      try {
        onRound(index, round.turn === 'engine' ? await soak.engineTurn(round) : await soak.chopsTurn(round))
      } catch (error) {
        return {at: index, persistDir, problem: error instanceof Error ? error.message : String(error)}
      }
    }
  } finally {
    server.stop()
  }

  return undefined
}

class Soak {
  private readonly model = new Model()
  private readonly milliseconds = new Map<string, number>()
  private readonly saved = new Map<string, ModelCollection>()
  private hasDirectory = false
  private mayHaveOldTexts = false

  constructor(
    private readonly persistDir: string,
    private readonly engines: Engines,
    private readonly server: FakeChroma,
  ) {}

  /** What is there when the engine opens the directory, and what is there after its operations. */
  async engineTurn({operations, version}: EngineRound): Promise<string> {
    const found = this.engines.get(version)
    if (!found) throw new Error(`Chroma ${version} is not installed`)
    await withEngine(found, this.persistDir, async (engine) => {
      if (this.hasDirectory) await this.compare(engine, version, 'opened')
      for (const operation of operations) {
        const request = this.model.apply(operation, version)
        if (request) await engine.ask(request)
      }

      await this.compare(engine, version, 'written')
    })
    this.hasDirectory = true
    if (version === HAS_OLD_TEXTS) this.mayHaveOldTexts = true
    await this.check()
    const records = [...this.model.collections.values()].map(({records}) => records.size)
    return `Chroma ${version}: ${operations.map((operation) => operation.do).join(', ')} (records ${records.join(' ')})`
  }

  async chopsTurn(round: ChopsRound): Promise<string> {
    const text = `chops ${round.args.join(' ')}`
    if (!this.hasDirectory || !this.isPossible(round)) return `${text}: left out`
    if (round.saved?.path === SERVER) this.server.collections.clear()
    const started = performance.now()
    const args = [...round.args.map((arg) => this.pathOf(arg)), '--json']
    const withYes = args.includes('--yes') || !changes(round) ? args : [...args, '--yes']
    const {code, signal, stderr, stdout} = await this.run(round, withYes)
    const isDone = code === 0 || (code === 1 && REPORTING.has(commandOf(round)))
    if (signal === null) this.milliseconds.set(commandOf(round), performance.now() - started)
    if (!isDone && signal !== 'SIGKILL') {
      throw new Error(`${text} ends with ${signal ?? code}\n${stderr}\n${stdout}`.trim())
    }

    this.noteSpace(round, isDone)
    this.noteSnapshot(round, isDone)
    this.noteRestore(round, isDone)
    if (round.backup !== undefined) await this.goOnIn(this.pathOf(round.backup), isDone)
    await this.check()
    return `${text}: ${signal ?? 'done'}`
  }

  private async run(round: ChopsRound, args: string[]) {
    if (!round.kill) return chops(args)
    if ('atCall' in round.kill) {
      const fault = {kind: 'kill before', number: round.kill.atCall} as const
      return runFaulted({args, fault, scratch: temporaryFolder()})
    }

    return killed(args, round.kill.atPart * (this.milliseconds.get(commandOf(round)) ?? USUAL_MS))
  }

  private noteSpace({args, space}: ChopsRound, isDone: boolean): void {
    const collection = space && this.model.at(placeOf(args))
    if (!collection) return
    // A collection without a vector has no index to change.
    collection.spaces = new Set([space, ...(isDone && collection.records.size > 0 ? [] : collection.spaces)])
    if (space === 'cosine') collection.isExact = false
  }

  /**
   * A snapshot needs its collection, a restore its file. While it is open whether a killed restore took effect, nothing is done
   * of which the model would then have to say two things.
   */
  private isPossible({args, restored, saved, space}: ChopsRound): boolean {
    const place = restored?.place ?? saved?.place ?? (space && placeOf(args))
    if (place && this.model.alternatives.has(place.join('/'))) return false
    if (saved) return this.model.at(saved.place) !== undefined
    if (restored?.isNew && this.model.at(restored.place)) return false
    return !restored || this.saved.has(restored.path)
  }

  /** A file that a kill left is the old one or the new one: nothing is restored from it any more. */
  private noteSnapshot({saved}: ChopsRound, isDone: boolean): void {
    const collection = saved && this.model.at(saved.place)
    if (!collection) return
    if (isDone) this.saved.set(saved.path, copyOf(collection))
    else this.saved.delete(saved.path)
  }

  private noteRestore({restored}: ChopsRound, isDone: boolean): void {
    const saved = restored && this.saved.get(restored.path)
    if (!saved) return
    const {alternatives, collections} = this.model
    const into = isDone ? collections : alternatives
    into.set(restored.place.join('/'), copyOf(saved, restored.place))
  }

  /** What has the name of a backup is complete, killed or not: it verifies, and the rounds go on in it. */
  private async goOnIn(backup: string, isDone: boolean): Promise<void> {
    if (!existsSync(backup)) {
      if (isDone) throw new Error('db backup leaves no backup')
      return
    }

    const {code, stderr, stdout} = await chops(['db', 'backup', backup, '--verify', '--json'])
    if (code !== 0) throw new Error(`db backup does not verify\n${stderr}\n${stdout}`)
    rmSync(this.persistDir, {recursive: true})
    if (!backup.includes('.tar.')) {
      renameSync(backup, this.persistDir)
      return
    }

    mkdirSync(this.persistDir)
    execFileSync('tar', ['-xf', backup, '-C', this.persistDir, '--strip-components=1'])
    rmSync(backup)
  }

  private pathOf(arg: string): string {
    return arg.replace(DIRECTORY, this.persistDir).replace(SERVER, this.server.url)
  }

  /** Nothing may be found but what engines, dropped collections and kills leave lying about. */
  private async check(): Promise<void> {
    if (!isBuilt('db check')) return
    const {stderr, stdout} = await chops(['db', 'check', this.persistDir, '--json'])
    const {findings} = JSON.parse(stdout) as {findings?: {id: string; message: string; severity: string}[]}
    if (!findings) throw new Error(`db check finds nothing to say\n${stderr}\n${stdout}`)
    const isOldText = ({id, message}: {id: string; message: string}): boolean =>
      this.mayHaveOldTexts && id === 'M5' && OLD_TEXTS.test(message)
    const isExplained = findings.some((finding) => isOldText(finding))
    const serious = findings.filter(
      (finding) =>
        finding.severity !== 'I' &&
        !LITTER.has(finding.id) &&
        !isOldText(finding) &&
        !(finding.id === 'M7' && isExplained),
    )
    if (serious.length > 0) {
      throw new Error(`db check finds ${serious.map(({id, message}) => `${id} ${message}`).join('; ')}`)
    }
  }

  private async compare(engine: RunningEngine, version: EngineVersion, when: string): Promise<void> {
    const problems = recordProblems(this.model, await engine.ask<Dumped[]>({do: 'dump'}))
    if (problems.length === 0) {
      for (const collection of this.model.collections.values())
        problems.push(...(await this.compareQueries(engine, version, collection)))
    }

    if (problems.length > 0) throw new Error(`Chroma ${version}, ${when}: ${problems.join('; ')}`)
  }

  private async compareQueries(
    engine: RunningEngine,
    version: EngineVersion,
    collection: ModelCollection,
  ): Promise<string[]> {
    const {place, records} = collection
    if (records.size === 0) return []
    const all = [...records.values()]
    const vectors = Array.from({length: QUERIES}, (_, i) => {
      const {vector} = all[Math.floor((i * all.length) / QUERIES)] as {vector: Float32Array}
      return vector.map((value, at) => value + (at === i ? 0.05 : 0))
    })
    const k = Math.min(K, records.size)
    const request = {do: 'query', k, place, vectors: vectors.map((vector) => [...vector])}
    const answers = await engine.ask<Answer[]>(request)
    const problems = queryProblems(collection, vectors, k, answers, lengths(version, k))
    return problems.map((problem) => `${place.join('/')}: ${problem}`)
  }
}

/**
 * How many ids an engine returns that is asked for k: 0.4 may find fewer. Up to 0.5.5 it may be one more, where those of the
 * log and of the index are put together (`query_vectors` in Chroma's local_persistent_hnsw.py).
 */
function lengths(version: EngineVersion, k: number): {least: number; most: number} {
  return {least: version.startsWith('0.4') ? 0 : k, most: OFF_BY_ONE.has(version) ? k + 1 : k}
}

function commandOf({args}: ChopsRound): string {
  return args.slice(0, args.indexOf(DIRECTORY)).join(' ')
}

/** The collection that a command names. */
function placeOf(args: string[]): Place {
  const value = (flag: string): string => args[args.indexOf(flag) + 1] ?? ''
  return [value('--tenant'), value('--database'), value('--collection')]
}

/** Exit with 1 where they have found something: what that is, the check after every round says. */
const REPORTING = new Set(['db check', 'maintain'])
const READ_ONLY = new Set(['collection list', 'db info', 'hnsw info', 'wal info'])

function changes(round: ChopsRound): boolean {
  return !READ_ONLY.has(commandOf(round))
}

/** Runs chops and kills it and its children after some time, unless it has ended by then. */
async function killed(args: string[], milliseconds: number) {
  const child = spawn(process.execPath, [RUN, ...args], {detached: true, stdio: 'ignore'})
  const ended = once(child, 'close') as Promise<[null | number, NodeJS.Signals | null]>
  const timer = setTimeout(() => {
    // Nothing to kill where it has just ended.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  }, milliseconds)
  const [code, signal] = await ended
  clearTimeout(timer)
  return {code, signal, stderr: '', stdout: ''}
}
