import type {Input, ParserOutput} from '@oclif/core/interfaces'

import type {Catalog, Collection} from '../catalog/catalog.js'
import type {ReportStep} from './steps.js'

import {Command} from '@oclif/core/command'

import {selectCollection} from '../catalog/select-collection.js'
import {escapeControls} from '../output/escape.js'
import {toJson} from '../output/json.js'
import {renderTables, type TableData} from '../output/table.js'
import {generationText} from '../persist-dir/generation.js'
import {openPersistDir, type PersistDir} from '../persist-dir/persist-dir.js'
import {EXIT_CODE} from './exit-codes.js'
import {type Failure, failureOf} from './failure.js'
import {isAbandoned, type Progress, withProgress} from './progress.js'

/** What `changeFlags` parse to. */
export interface ChangeFlags {
  'dry-run': boolean
  force: boolean
  yes: boolean
}

/** What `collectionFlags` parse to. */
interface CollectionFlags {
  collection?: string | undefined
  database?: string | undefined
  tenant?: string | undefined
}

type Values = Record<string, unknown>

/**
 * The base of every chops command. It owns `--json`, exit codes, warnings, errors, questions, tables and progress;
 * a command parses, calls one service and hands the typed result to a renderer.
 *
 * `run()` always returns an object: with `--json` that object, with `warnings` added, is the one document on stdout.
 */
export abstract class ChopsCommand extends Command {
  static override enableJsonFlag = true

  private readonly hidden: string[] = []
  private readonly interruption = new AbortController()
  private isSignalled = false
  private readonly opened: PersistDir[] = []
  private readonly warnings: string[] = []

  abstract override run(): Promise<object>

  /** Aborted by Ctrl-C: hand it to services. */
  protected get signal(): AbortSignal {
    return this.interruption.signal
  }

  override warn(input: Error | string): Error | string {
    const text = this.hide(typeof input === 'string' ? input : input.message)
    this.warnings.push(text)
    this.logToStderr(`Warning: ${text}`)
    return input
  }

  /**
   * Prints lines to stdout; nothing with `--json`. Control characters come out escaped, and so does a line break within
   * a line: a name that holds one must not pass for what chops says.
   */
  override log(...lines: string[]): void {
    super.log(safeText(lines))
  }

  /** The same to stderr. */
  override logToStderr(...lines: string[]): void {
    super.logToStderr(safeText(lines))
  }

  /** Chooses the directory when the line names none, but only once everything else on the line is known to be right. */
  protected override async parse<F extends Values, B extends Values, A extends Values>(
    options?: Input<F, B, A>,
    argv?: string[],
  ): Promise<ParserOutput<F, B, A>> {
    const parsed = await super.parse(options, argv)
    if (options?.args?.PERSIST_DIR && parsed.args.PERSIST_DIR === undefined) {
      const {args}: {args: Values} = parsed
      const {choosePersistDir} = await import('./choose-persist-dir.js')
      args.PERSIST_DIR = await choosePersistDir(this.signal)
    }

    return parsed
  }

  /** The collection that the flags name; without `--collection` a list to pick from in a terminal. */
  protected async chooseCollection(catalog: Catalog, flags: CollectionFlags): Promise<Collection> {
    if (flags.collection !== undefined) return selectCollection(catalog, {...flags, name: flags.collection})
    const {chooseCollection} = await import('./choose-collection.js')
    return chooseCollection(catalog, flags, this.signal)
  }

  /** Asks on stderr before anything changes; false means the user said no. `yes` is the command's `--yes` flag. */
  protected async confirm(question: string, yes: boolean): Promise<boolean> {
    if (yes) return true
    const {confirm} = await import('./confirm.js')
    return confirm(escapeControls(question), this.signal)
  }

  /**
   * What stands between a plan that was shown and its execution: stops at `--dry-run`, refuses while another process has
   * the directory open, asks, and says so when nothing is going to change. Once approved, `dir` is closed: the change
   * opens the directory for itself, see `withWriteAccess`.
   */
  protected async approve(
    dir: Pick<PersistDir, 'close' | 'path'>,
    flags: ChangeFlags,
    question: string,
  ): Promise<'approved' | 'cancelled' | 'dry-run'> {
    if (flags['dry-run']) {
      this.log('Dry run: nothing was changed.')
      return 'dry-run'
    }

    const {requireUnused} = await import('../change/write-access.js')
    await requireUnused(dir.path, flags)
    if (!(await this.confirm(question, flags.yes))) {
      this.log('Cancelled: nothing was changed.')
      return 'cancelled'
    }

    await dir.close()
    return 'approved'
  }

  /** Keeps these texts out of warnings and errors, for output that is going to be shared. */
  protected hideFromMessages(...texts: string[]): void {
    this.hidden.push(...texts)
  }

  /**
   * Opens the directory, prints the generation that owns it, and closes it when the command ends.
   *
   * @param options `on: 'stderr'` for a command whose result on stdout is data
   */
  protected async open(
    persistDir: string,
    mode: 'read' | 'write' = 'read',
    {on = 'stdout'}: {on?: 'stderr' | 'stdout'} = {},
  ): Promise<PersistDir> {
    const dir = await openPersistDir(persistDir, mode)
    this.opened.push(dir)
    const version = `ChromaDB version: ${generationText(dir.generation)}`
    if (on === 'stderr') this.logToStderr(version)
    else this.log(version)
    for (const warning of dir.warnings) this.warn(warning)
    return dir
  }

  /** The generation of what was opened, for the result. */
  protected chromaVersion({generation}: PersistDir): string {
    return generationText(generation)
  }

  /**
   * Runs the work on one of several items. A failure of it is reported and kept in `failed`, and the next item goes on;
   * the exit code tells. With a single item, after Ctrl-C and for a bug the failure is the command's own.
   */
  protected async attempt<T>(
    isOnly: boolean,
    item: {collection: string; collectionId: string},
    failed: {collection: string; collectionId: string; message: string}[],
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      const failure = failureOf(error, this.signal.aborted)
      if (isOnly || failure.code === 'interrupted' || failure.code === 'bug') throw error
      const {collection, collectionId} = item
      failed.push({collection, collectionId, message: this.hide(failure.message)})
      process.exitCode = failure.exitCode
      if (!this.jsonEnabled()) this.report(failure)
      return undefined
    }
  }

  /** Says that there are findings (exit code 1) without losing the result, which `this.exit` would. */
  protected reportFindings(): void {
    process.exitCode = EXIT_CODE.findings
  }

  /** Prints tables to stdout; nothing with `--json`. */
  protected async table(...tables: TableData[]): Promise<void> {
    // The colours of a table are control characters too; the text in it is escaped already.
    if (!this.jsonEnabled()) super.log(await renderTables(tables, process.stdout))
  }

  /** Runs a service under a progress line on stderr, shown in a terminal when it takes longer than a moment. */
  protected withProgress<T>(
    title: string,
    work: (progress: Progress) => Promise<T>,
    {unit}: {unit?: string} = {},
  ): Promise<T> {
    return withProgress(title, work, {quiet: this.jsonEnabled(), signal: this.signal, unit})
  }

  /**
   * Runs work of several steps under a listr2 list on stderr; nothing is shown with `--json`. `units` says what a step
   * counts, where its rate is worth showing.
   */
  protected async runSteps<Step extends string, T>(
    steps: Record<Step, string>,
    work: (report: ReportStep<Step>) => Promise<T>,
    {units}: {units?: Partial<Record<Step, string>>} = {},
  ): Promise<T> {
    const {runSteps} = await import('./steps.js')
    return runSteps(steps, work, {quiet: this.jsonEnabled(), units})
  }

  protected override async init(): Promise<void> {
    await super.init()
    process.on('SIGINT', this.onInterrupt)
    process.on('SIGTERM', this.onInterrupt)
    if (isAbandoned()) this.onAbandoned()
    process.on('disconnect', this.onAbandoned)
    // oclif's own listener throws where nobody can catch it.
    process.stdout.removeAllListeners('error')
    process.stdout.on('error', this.onLostOutput)
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    process.off('SIGINT', this.onInterrupt)
    process.off('SIGTERM', this.onInterrupt)
    process.off('disconnect', this.onAbandoned)
    // `onLostOutput` stays: oclif prints the JSON after this.
    for (const dir of this.opened.splice(0)) await dir.close()
    await super.finally(error)
  }

  /**
   * oclif would exit with 1 under `--json` whatever the error, and wrap the text of an error at the terminal's width.
   * The failure is reported here and rethrown marked as handled, so that oclif only sets the exit code.
   */
  protected override async catch(error: Error & {oclif?: {exit?: number}}): Promise<never> {
    const isExit = (error as {code?: string}).code === 'EEXIT'
    const failure = failureOf(error, this.signal.aborted)
    const exitCode = isExit ? (error.oclif?.exit ?? EXIT_CODE.done) : failure.exitCode
    process.exitCode = exitCode
    if (!isExit) this.report(failure)
    throw Object.assign(error, {oclif: {exit: exitCode}, skipOclifErrorHandling: true})
  }

  protected override logJson(json: unknown): void {
    process.stdout.write(`${toJson(json)}\n`)
  }

  protected override toSuccessJson(result: object): object {
    return {...result, warnings: this.warnings}
  }

  /**
   * The listener has to stay: signal-exit, which comes with the tables, ends the process at once when it finds no other.
   * A second Ctrl-C does not wait.
   */
  private readonly onInterrupt = (): void => {
    if (this.isSignalled) process.exit(EXIT_CODE.interrupted)
    this.isSignalled = true
    this.interruption.abort()
  }

  /**
   * Whoever relays this command wants no more of it, or is gone. No signal says so, because a terminal or a service manager
   * signals both processes: one more would be the second, which does not wait.
   */
  private readonly onAbandoned = (): void => {
    this.interruption.abort()
  }

  /** `chops ... | head` has read enough; anything else (a full disk behind a redirection) is a failure to say. */
  private readonly onLostOutput = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') process.exit(EXIT_CODE.done)
    // With --json `logToStderr` is silent, and the document is what could not be written.
    process.stderr.write(`Error: The output could not be written: ${escapeControls(error.message)}.\n`)
    process.exit(EXIT_CODE.damaged)
  }

  private hide(text: string): string {
    return this.hidden.reduce((shown, secret) => shown.replaceAll(secret, 'redacted'), text)
  }

  private report({file, ...failure}: Failure): void {
    failure.message = this.hide(failure.message)
    if (failure.next !== undefined) failure.next = this.hide(failure.next)
    if (failure.stack !== undefined) failure.stack = this.hide(failure.stack)
    if (this.jsonEnabled()) {
      this.logJson({
        error: {...failure, ...(file !== undefined && {file: this.hide(file)})},
        warnings: this.warnings,
      })
      return
    }

    const {message, next, stack} = failure
    this.logToStderr(
      `Error: ${message}`,
      ...(next === undefined ? [] : [`  ${next}`]),
      ...(stack === undefined ? [] : stack.split('\n')),
    )
  }
}

function safeText(lines: readonly string[]): string {
  return lines.map((line) => escapeControls(line)).join('\n')
}
