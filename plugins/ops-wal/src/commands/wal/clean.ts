import {requireRoomForVacuum} from '@chops/core/change'
import {changeFlags, ChopsCommand, nameList, persistDirArg} from '@chops/core/command'

import {
  deletedTable,
  doneLines,
  nothingText,
  planTable,
  questionText,
  sizeText,
} from '../../render/wal-clean.js'
import {cleanWal, planWalClean, resultOf, type WalClean} from '../../services/wal-clean.js'

export default class WalCleanCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Deletes the rows of the write-ahead log that nothing needs any more, in one transaction: those that both segments of a collection have applied, and those of collections that do not exist. The newest row of each topic stays, because Chroma numbers new rows after the highest one. Then VACUUM makes chroma.sqlite3 smaller.

Rows that the index has not applied are never deleted: "chops wal commit" applies them. An index that is damaged stops the command before anything is deleted, since the log may hold what it lost; --skip leaves its collection out.

Stop Chroma first. VACUUM needs free disk space for a second copy of chroma.sqlite3, in its folder and in the folder for temporary files (SQLITE_TMPDIR).`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --dry-run',
      description: 'Show what could be deleted, and why the rest stays:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --yes',
      description: 'Clean without being asked:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --skip audited,archive',
      description: 'Leave the log of two collections as it is:',
    },
  ]

  static override flags = {
    ...changeFlags,
    skip: nameList({
      aliases: ['skip-collection-names'],
      char: 's',
      description: 'collections whose log is left as it is, in every database',
    }),
  }

  static override summary = 'Delete what all segments have applied from the log, then VACUUM.'

  override async run(): Promise<WalClean> {
    const {args, flags} = await this.parse(WalCleanCommand)
    const dir = await this.open(args.PERSIST_DIR)
    const plan = await this.withProgress('Checking what the indexes have applied', (onProgress) =>
      planWalClean(dir, {onProgress, signal: this.signal, skip: flags.skip ?? []}),
    )
    for (const name of plan.unknownSkips) this.warn(`There is no collection "${name}" to skip.`)
    await this.table(planTable(plan))
    if (plan.deletable === 0) {
      this.log(nothingText(plan))
      return resultOf(plan, 'nothing-to-do')
    }

    this.log(sizeText(plan))
    if (!flags['dry-run']) await requireRoomForVacuum(dir)
    const decision = await this.approve(dir, flags, questionText(plan))
    if (decision !== 'approved') return resultOf(plan, decision)
    const result = await this.runSteps({rows: 'Delete log rows', vacuum: 'VACUUM chroma.sqlite3'}, (onStep) =>
      cleanWal(plan, {force: flags.force, onStep, signal: this.signal}),
    )
    await this.table(deletedTable(result))
    this.log(...doneLines(result))
    return result
  }
}
