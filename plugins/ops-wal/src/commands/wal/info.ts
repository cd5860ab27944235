import {ChopsCommand, persistDirArg} from '@chops/core/command'

import {purgeModeText, walInfoTable} from '../../render/wal-info.js'
import {describeWal, type WalInfo} from '../../services/wal-info.js'

export default class WalInfoCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Shows the write-ahead log topic by topic: how many rows it holds, how many both segments of the collection have applied (committed), and how many the HNSW index has not (pending). Topics that a deleted collection left behind are listed as orphans.

Nothing is changed.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> ./chroma', description: 'Show the log of a directory:'},
    {
      command: "<%= config.bin %> <%= command.id %> ./chroma --json | jq '[.topics[].pending] | add'",
      description: 'Count the rows that wait for an index:',
    },
  ]

  static override summary = 'Show the log: purge mode, and committed and pending rows per collection.'

  override async run(): Promise<WalInfo> {
    const {args} = await this.parse(WalInfoCommand)
    const dir = await this.open(args.PERSIST_DIR)
    const info = await this.withProgress('Reading the log', () => describeWal(dir))
    this.log(purgeModeText(info))
    await this.table(walInfoTable(info))
    return info
  }
}
