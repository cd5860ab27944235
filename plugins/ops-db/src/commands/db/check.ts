import {ChopsCommand, persistDirArg} from '@chops/core/command'
import {usage} from '@chops/core/errors'
import * as Flags from '@oclif/core/flags'

import {checkTables, explanationText, idsText, summaryText} from '../../render/database-check.js'
import {checkDatabase, type DatabaseCheck} from '../../services/check/check-database.js'
import {explain, type ExplainedError} from '../../services/check/explanations.js'
import {SEVERITIES, type Severity} from '../../services/check/invariants.js'
import {openForCheck} from '../../services/check/open.js'

const STEPS = {
  sqlite: 'Check the integrity of chroma.sqlite3',
  catalog: 'Check collections and segments',
  metadata: 'Check records and documents',
  log: 'Check the log',
  index: 'Check the indexes',
} as const

export interface DbCheckResult extends DatabaseCheck {
  /** What the error given with --explain comes from; null without it. */
  explanation: null | {error: string; known: ExplainedError[]}
}

export default class DbCheck extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Checks every part of a persist directory against each other: the SQLite file and its schema (S), collections and segments (Y), records and documents (M), the log (W), every index file (H), where the vector of each record is (X), and the machine (P). Each finding has a stable id, a severity, the figures, and the command that repairs it.

Nothing is changed, not even a timestamp, and no file is given to native code, so it works on directories that crash Chroma, on a read-only mount and beside a running Chroma.

Exit code 0: healthy, or nothing but information. Exit code 1: findings.`

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
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs --verbose',
      description: 'Look at one collection, list every lost vector, and measure what searches can reach:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --severity E --json',
      description: 'Report errors and worse only, for a script:',
    },
  ]

  static override flags = {
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

  static override summary = 'Find what is wrong with a directory, without changing it.'

  override async run(): Promise<DbCheckResult> {
    const {args, flags} = await this.parse(DbCheck)
    const {collection: name, database, severity, tenant, verbose} = flags
    if (name === undefined && (database ?? tenant) !== undefined)
      throw usage('--database and --tenant choose among collections: --collection is missing.')
    const dir = await openForCheck(args.PERSIST_DIR)
    try {
      for (const warning of dir.warnings) this.warn(warning)
      const checked = await this.runSteps(STEPS, (onStep) =>
        checkDatabase(dir, {
          ...(name !== undefined && {collection: {database, name, tenant}}),
          onStep,
          severity,
          signal: this.signal,
          verbose,
        }),
      )
      const error = flags.explain
      const explanation = error === undefined ? null : {error, known: explain(error, checked.findings)}
      await this.show({...checked, explanation}, verbose)
      return {...checked, explanation}
    } finally {
      await dir.close()
    }
  }

  private async show(checked: DbCheckResult, verbose: boolean): Promise<void> {
    const {chromaVersion, explanation, findings, ledger} = checked
    this.log(`ChromaDB version: ${chromaVersion}`)
    if (explanation) this.log(`${explanationText(explanation.error, explanation.known)}\n`)
    await this.table(...checkTables(checked))
    const ids = verbose ? idsText(ledger) : ''
    if (ids !== '') this.log(ids)
    this.log(summaryText(checked))
    if (findings.some(({severity}) => severity !== 'I')) this.reportFindings()
  }
}
