import {changeFlags, ChopsCommand, persistDirArg} from '@chops/core/command'
import {usage} from '@chops/core/errors'
import * as Flags from '@oclif/core/flags'

import {checkTables, explanationLines, idLines, summaryText} from '../../render/database-check.js'
import {fixLines, leftText, planTable, questionText} from '../../render/database-fix.js'
import {checkDatabase, type DatabaseCheck} from '../../services/check/check-database.js'
import type {CheckOptions} from '../../services/check/check-once.js'
import {explain, type ExplainedError} from '../../services/check/explanations.js'
import {SEVERITIES, type Severity} from '../../services/check/invariants.js'
import {type CheckedDirectory, openForCheck} from '../../services/check/open.js'
import {type DatabaseFix, fixDatabase, nothingMade} from '../../services/fix/fix-database.js'
import {planRepairs} from '../../services/fix/plan.js'

const STEPS = {
  sqlite: 'Check the integrity of chroma.sqlite3',
  catalog: 'Check collections and segments',
  metadata: 'Check records and documents',
  log: 'Check the log',
  index: 'Check the indexes',
} as const

type FixStatus = 'cancelled' | 'done' | 'dry-run' | 'nothing-to-do'

export interface DbCheckResult extends DatabaseCheck {
  /** What the error given with --explain comes from; null without it. */
  explanation: null | {error: string; known: ExplainedError[]}
  /** What --fix did or would do, after which everything else here was found; null without it. */
  fix: (DatabaseFix & {before: DatabaseCheck['findings']; status: FixStatus}) | null
}

export default class DbCheck extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Checks every part of a persist directory against each other: the SQLite file and its schema (S), collections and segments (Y), records and documents (M), the log (W), every index file (H), where the vector of each record is (X), and the machine (P). Each finding has a stable id, a severity, the figures, and the command that repairs it.

Without --fix nothing is changed, not even a timestamp, and no file is given to native code, so it works on directories that crash Chroma, on a read-only mount and beside a running Chroma.

With --fix it shows what it is going to repair, asks, copies chroma.sqlite3 to chroma.sqlite3_backup_<time>, repairs, and checks again. Rows are repaired in one transaction, indexes are built beside the old ones, which are kept. Records whose vectors are lost, and log rows that no Chroma can apply, are written to files in the directory, never dropped. What it cannot repair it leaves as it is, and says so. Stop Chroma first.

Exit code 0: healthy, or nothing but information. Exit code 1: findings, after the repair with --fix.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma',
      description: 'Ask whether a directory is sound:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --explain "Error loading hnsw index"',
      description: 'Ask what causes an error that Chroma gives:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --fix --dry-run',
      description: 'See what would be repaired:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs --verbose',
      description: 'Look at one collection, list every lost vector, and measure what searches can reach:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --severity E --json',
      description: 'Report errors and worse only, for a script:',
    },
  ]

  static override flags = {
    ...changeFlags,
    collection: Flags.string({
      char: 'c',
      description: 'look at the index and the vectors of this collection only',
      helpValue: 'NAME',
    }),
    database: Flags.string({char: 'd', description: 'database of the collection', helpValue: 'NAME'}),
    explain: Flags.string({
      description: 'an error text of Chroma: say what causes it, and what of that is the case here',
      helpValue: 'TEXT',
    }),
    fix: Flags.boolean({default: false, description: 'repair what can be repaired, and check again'}),
    severity: Flags.option({
      default: 'I' as Severity,
      description: 'report this severity and worse: C critical, E error, W warning, I information',
      options: SEVERITIES,
    })(),
    tenant: Flags.string({description: 'tenant of the collection', helpValue: 'NAME'}),
    verbose: Flags.boolean({
      char: 'v',
      default: false,
      description: 'list all lost vectors, and measure what searches can reach',
    }),
  }

  static override summary = 'Find what is wrong with a directory, and repair it.'

  override async run(): Promise<DbCheckResult> {
    const {args, flags} = await this.parse(DbCheck)
    const {collection: name, database, severity, tenant, verbose} = flags
    if (name === undefined && (database ?? tenant) !== undefined)
      throw usage('--database and --tenant choose among collections: --collection is missing.')
    const dir = await openForCheck(args.PERSIST_DIR)
    try {
      for (const warning of dir.warnings) this.warn(warning)
      const options: CheckOptions = {
        ...(name !== undefined && {collection: {database, name, tenant}}),
        allIds: verbose || flags.fix,
        measureReach: verbose,
        severity,
        signal: this.signal,
      }
      const found = await this.check(dir, options)
      const error = flags.explain
      const explanation = error === undefined ? null : {error, known: explain(error, found.findings)}
      this.log(`ChromaDB version: ${found.chromaVersion}`)
      if (explanation) this.log(...explanationLines(explanation.error, explanation.known))
      await this.show(found, verbose)
      if (!flags.fix) return this.finish({...found, explanation, fix: null})
      const {after, fix} = await this.fix(dir, found, options, flags)
      return this.finish({...after, explanation, fix})
    } finally {
      await dir.close()
    }
  }

  private async fix(
    dir: CheckedDirectory,
    found: DatabaseCheck,
    options: CheckOptions,
    flags: {'dry-run': boolean; force: boolean; verbose: boolean; yes: boolean},
  ): Promise<{after: DatabaseCheck; fix: DbCheckResult['fix']}> {
    const plan = planRepairs(found)
    const before = found.findings
    const left = leftText(found, plan)
    if (left !== '') this.log(left)
    if (plan.length === 0) {
      this.log('There is nothing to repair.')
      return {after: found, fix: {...nothingMade(plan), before, status: 'nothing-to-do'}}
    }

    await this.table(planTable(plan))
    const decision = await this.approve(dir, flags, questionText(plan))
    if (decision !== 'approved') return {after: found, fix: {...nothingMade(plan), before, status: decision}}
    const steps = Object.fromEntries(plan.map(({action}, position) => [`${position}`, action]))
    const made = await this.runSteps(steps, (onStep) =>
      fixDatabase(found, plan, {
        force: flags.force,
        onRepair: (position) => onStep(`${position}`, 0, 1),
        signal: this.signal,
      }),
    )
    this.log(...fixLines(made))
    const again = await openForCheck(dir.path)
    try {
      const after = await this.check(again, options)
      await this.show(after, flags.verbose, 'After')
      return {after, fix: {...made, before, status: 'done'}}
    } finally {
      await again.close()
    }
  }

  private check(dir: CheckedDirectory, options: CheckOptions): Promise<DatabaseCheck> {
    return this.runSteps(STEPS, (onStep) => checkDatabase(dir, {...options, onStep}))
  }

  private async show(checked: DatabaseCheck, verbose: boolean, title?: string): Promise<void> {
    await this.table(...checkTables(checked, title))
    if (verbose) for (const line of idLines(checked.ledger)) this.log(line)
    this.log(summaryText(checked))
  }

  private finish(result: DbCheckResult): DbCheckResult {
    if (result.findings.some(({severity}) => severity !== 'I')) this.reportFindings()
    return result
  }
}
