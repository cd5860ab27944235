import type {ProgressMessage} from '@chops/core/command'

import {withPassLock} from '@chops/core/change'
import {sizeOf} from '@chops/core/persist-dir'

import {type CheckReport, checkReportOf, databaseDamage} from './check-report.js'
import {committedIn, outcomeOf, rebuiltIn} from './outcomes.js'
import {type CommandOutcome, runCommand} from './run-command.js'
import {
  type ChangingStep,
  COMMANDS,
  planStep,
  type Step,
  type StepContext,
  STEPS,
  vacuumPays,
} from './steps.js'

export interface StepResult {
  /** What was done, or why nothing was. */
  detail: string
  /** The command lines that were run, without `chops`. */
  runs: string[][]
  seconds: number
  /**
   * `done` something was changed, `planned` it would be, `skipped` there was nothing to do or it was not wanted, `failed`
   * the command reported an error, `stopped` the time was over.
   */
  status: 'done' | 'failed' | 'planned' | 'skipped' | 'stopped'
  step: Step
}

export interface Pass {
  /** What the check found; undefined when it could not be made. */
  check: CheckReport | undefined
  /** Ids of the collections whose pending log was written into the index. */
  committed: ReadonlySet<string>
  dryRun: boolean
  /** The exit code of the command that failed first with one of its own, for example 3 when the directory is in use. */
  exitCode: number | undefined
  persistDirectory: string
  /** Ids of the collections whose index was built anew from all their elements. */
  rebuilt: ReadonlySet<string>
  seconds: number
  /** Bytes of the directory on the disk. */
  sizeAfter: number
  sizeBefore: number
  steps: StepResult[]
}

export interface PassOptions {
  backup: boolean
  dryRun: boolean
  fragmentation: number
  /** Whether oclif knows a command: its group may have been uninstalled. */
  hasCommand: (id: string) => boolean
  /** Bytes that building an index may take; undefined for what is free. */
  maxMemory: number | undefined
  /** Milliseconds after which no step begins and the one that runs is interrupted. */
  maxTime: number | undefined
  /** The step that begins, or how far a command that it runs has come. */
  onStep?: ((step: Step, progress?: ProgressMessage) => void) | undefined
  persistDirectory: string
  root: string
  signal: AbortSignal
  /** Steps that are not wanted. */
  without: ReadonlySet<ChangingStep>
}

/**
 * Makes a maintenance pass: checks the directory, and lets the command of each step do what the check and the steps before
 * leave to do. Only one pass at a time works on a directory.
 *
 * @throws ChopsError `in-use` when another pass is at work
 */
export async function maintain(options: PassOptions): Promise<Pass> {
  const pass = (): Promise<Pass> => new Runner(options).run()
  return options.dryRun ? pass() : withPassLock(options.persistDirectory, pass)
}

class Runner {
  private readonly committed = new Set<string>()
  private exitCode: number | undefined
  private readonly rebuilt = new Set<string>()
  private readonly signal: AbortSignal
  private readonly started = performance.now()
  private readonly steps: StepResult[] = []
  private readonly timer: AbortSignal | undefined

  constructor(private readonly options: PassOptions) {
    this.timer = options.maxTime === undefined ? undefined : AbortSignal.timeout(options.maxTime)
    this.signal = this.timer ? AbortSignal.any([options.signal, this.timer]) : options.signal
  }

  async run(): Promise<Pass> {
    const {dryRun, persistDirectory} = this.options
    const {allocated: sizeBefore} = await sizeOf(persistDirectory)
    const check = await this.check()
    const damage = check && databaseDamage(check)
    for (const step of Object.keys(STEPS) as Step[]) {
      if (step === 'check') continue
      if (!check) this.skip(step, 'the directory could not be checked')
      else if (damage) this.skip(step, `the database is damaged (${damage.id})`)
      else await this.step(step, check)
    }

    this.options.signal.throwIfAborted()
    const {allocated: sizeAfter} = await sizeOf(persistDirectory)
    return {
      check,
      committed: this.committed,
      dryRun,
      exitCode: this.exitCode,
      persistDirectory,
      rebuilt: this.rebuilt,
      seconds: secondsSince(this.started),
      sizeAfter,
      sizeBefore,
      steps: this.steps,
    }
  }

  private async check(): Promise<CheckReport | undefined> {
    const started = performance.now()
    this.options.onStep?.('check')
    const words = [...COMMANDS.check.split(' '), this.options.persistDirectory]
    const [outcome] = await this.runAll('check', [words])
    const seconds = secondsSince(started)
    if (!outcome || 'error' in outcome.document) {
      const detail = outcome ? this.errorOf(outcome) : STOPPED
      this.steps.push({detail, runs: [words], seconds, status: outcome ? 'failed' : 'stopped', step: 'check'})
      return undefined
    }

    const report = checkReportOf(outcome.document)
    const {C, E, W} = report.counts
    const detail = C + E + W === 0 ? 'healthy' : `${C} critical, ${E} errors, ${W} warnings`
    this.steps.push({detail, runs: [words], seconds, status: 'done', step: 'check'})
    return report
  }

  private async step(step: ChangingStep, check: CheckReport): Promise<void> {
    const {dryRun, hasCommand, without} = this.options
    if (without.has(step)) return this.skip(step, 'not wanted')
    if (!hasCommand(COMMANDS[step].replace(' ', ':')))
      return this.skip(step, `no plugin brings chops ${COMMANDS[step]}`)
    const context: StepContext = {...this.options, check, rebuilt: this.rebuilt}
    const plan = planStep(step, context)
    if ('skip' in plan) return this.skip(step, plan.skip)
    const started = performance.now()
    this.options.onStep?.(step)
    const reason = step === 'vacuum' ? await this.whyNoVacuum(context) : undefined
    if (reason !== undefined) return this.skip(step, reason)
    const outcomes = await this.runAll(step, plan.runs)
    const seconds = secondsSince(started)
    const documents = outcomes.map(({document}) => document)
    // A command that fails for one collection has done what it says for the others.
    for (const id of committedIn(documents)) this.committed.add(id)
    for (const id of rebuiltIn(documents)) this.rebuilt.add(id)
    const failure = outcomes.find(({exitCode}) => exitCode !== 0)
    const result = {runs: plan.runs, seconds, step}
    if (outcomes.length < plan.runs.length || this.timer?.aborted)
      this.steps.push({...result, detail: STOPPED, status: 'stopped'})
    else if (failure) this.steps.push({...result, detail: this.errorOf(failure), status: 'failed'})
    else {
      const {changed, detail} = outcomeOf(step, documents, dryRun)
      this.steps.push({...result, detail, status: changed ? (dryRun ? 'planned' : 'done') : 'skipped'})
    }
  }

  /** Writing the whole file anew for a few pages is not worth it: Chroma fills them again. */
  private async whyNoVacuum(context: StepContext): Promise<string | undefined> {
    const {runs} = planStep('vacuum', {...context, dryRun: true}) as {runs: string[][]}
    const [outcome] = await this.runAll('vacuum', runs)
    const {freeBytes, sizeBefore} = outcome?.document ?? {}
    if (typeof freeBytes !== 'number' || typeof sizeBefore !== 'number') return undefined
    return vacuumPays(freeBytes, sizeBefore) ? undefined : 'too few pages are free to be worth it'
  }

  /** Runs commands one after the other until one is interrupted. */
  private async runAll(step: Step, runs: readonly string[][]): Promise<CommandOutcome[]> {
    const {onStep, root} = this.options
    const outcomes: CommandOutcome[] = []
    for (const [at, words] of runs.entries()) {
      if (this.signal.aborted) break
      const place = runs.length > 1 ? ` (${at + 1} of ${runs.length})` : ''
      const onProgress = (progress: ProgressMessage): void =>
        onStep?.(step, {...progress, title: `${progress.title}${place}`})
      outcomes.push(await runCommand(words, {onProgress, root, signal: this.signal}))
    }

    return outcomes
  }

  private errorOf({document, exitCode}: CommandOutcome): string {
    this.exitCode ??= exitCode
    const {error, failed} = document as {error?: {message?: string}; failed?: {message: string}[]}
    return error?.message ?? failed?.map(({message}) => message).join(' ') ?? `exit code ${exitCode}`
  }

  private skip(step: Step, detail: string): void {
    this.steps.push({detail, runs: [], seconds: 0, status: 'skipped', step})
  }
}

const STOPPED = 'the time given with --max-time was over'

function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000
}
