import {changeFlags, ChopsCommand, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {cleanTable, doneText, nothingText, totalText} from '../../render/clean.js'
import {type Clean, clean, planClean} from '../../services/clean.js'

export default class DbClean extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Removes the index folders that no segment of the database owns: what deleted collections leave behind. With --backups also the folders that chops kept when it replaced an index (<segment id>_backup_<time>).

Only folders with the name of a segment and nothing but index files inside are touched; everything else in the directory stays, and symbolic links are not followed. A folder stays as well when a record of a collection has lost its vector and this folder may be the last to have it.

Stop Chroma first.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --dry-run',
      description: 'Show what can be removed, and what stays and why:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --yes',
      description: 'Remove orphans without being asked:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --backups',
      description: 'Remove old backups of indexes as well:',
    },
  ]

  static override flags = {
    ...changeFlags,
    backups: Flags.boolean({
      default: false,
      description: 'also remove the folders that chops kept of replaced indexes',
    }),
    'dry-run': Flags.boolean({...changeFlags['dry-run'], char: 'd'}),
  }

  static override summary = 'Remove index folders that no collection owns.'

  override async run(): Promise<Clean> {
    const {args, flags} = await this.parse(DbClean)
    const dir = await this.open(args.PERSIST_DIR)
    const plan = await this.withProgress('Looking for orphan folders', () =>
      planClean(dir, {backups: flags.backups, signal: this.signal}),
    )
    if (plan.folders.length > 0) await this.table(cleanTable(plan))
    if (plan.status === 'nothing-to-do') {
      this.log(nothingText(plan))
      return plan
    }

    this.log(totalText(plan))
    const decision = await this.approve(dir, flags, 'Are you sure you want to delete these segment dirs?')
    if (decision !== 'approved') return {...plan, status: decision}
    const result = await this.withProgress('Removing', () =>
      clean(plan, {force: flags.force, signal: this.signal}),
    )
    this.log(doneText(result))
    return result
  }
}
