import {changeFlags, ChopsCommand, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {alreadyText, configTable} from '../../render/wal-config.js'
import {configureWal, planWalConfig, type WalConfig} from '../../services/wal-config.js'

export default class WalConfigCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Shows the configuration of the write-ahead log, and changes it with --purge: "auto" lets Chroma delete log rows as soon as all segments have applied them, "off" keeps every row until "chops wal clean". A directory that was written before Chroma 0.5.6 stays "off" after an upgrade, so its log grows for ever.

Stop Chroma before changing it: it may have read the configuration already.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> ./chroma', description: 'Show the configuration:'},
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --purge auto',
      description: 'Let Chroma purge the log, after an upgrade from before 0.5.6:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --purge off --yes',
      description: 'Keep every row, for an audit, without being asked:',
    },
  ]

  static override flags = {
    ...changeFlags,
    purge: Flags.option({
      description:
        'who deletes applied rows: Chroma by itself (auto), or nobody (off) [default: show, change nothing]',
      options: ['auto', 'off'] as const,
    })(),
  }

  static override summary = 'Show or set whether Chroma purges the log by itself.'

  override async run(): Promise<WalConfig> {
    const {args, flags} = await this.parse(WalConfigCommand)
    const dir = await this.open(args.PERSIST_DIR)
    const plan = await planWalConfig(dir, flags.purge)
    await this.table(configTable(plan))
    if (flags.purge === undefined || plan.status === 'nothing-to-do') {
      if (flags.purge !== undefined) this.log(alreadyText(plan))
      return plan
    }

    const decision = await this.approve(dir, flags, 'Are you sure you want to update the WAL config?')
    if (decision !== 'approved') return {...plan, status: decision}
    const result = await configureWal(plan, flags.purge, flags)
    this.log('WAL config updated successfully!')
    return result
  }
}
