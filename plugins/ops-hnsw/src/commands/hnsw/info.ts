import {readCatalog} from '@chops/core/catalog'
import {ChopsCommand, collectionFlags, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {hnswInfoTables} from '../../render/hnsw-info.js'
import {describeIndex, type HnswInfo} from '../../services/hnsw-info.js'

export default class HnswInfoCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Shows the parameters that the directory's own engine uses for the index of one collection, and what the index files hold. The fragmentation is exact: deleted elements are counted in the files, the index is not loaded.

Nothing is changed.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs',
      description: 'Show the index of a collection:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs --verbose',
      description: 'Walk its graph as well: what a search can reach, and how the links are spread:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma -c docs -d prod --tenant acme --json',
      description: 'Choose among collections of the same name, and print JSON:',
    },
  ]

  static override flags = {
    ...collectionFlags,
    verbose: Flags.boolean({
      char: 'v',
      description: 'walk the graph too: reachability from the entry point and the degree distribution',
    }),
  }

  static override summary = 'Show the parameters and the exact state of one index.'

  override async run(): Promise<HnswInfo> {
    const {args, flags} = await this.parse(HnswInfoCommand)
    const dir = await this.open(args.PERSIST_DIR)
    const collection = await this.chooseCollection(await readCatalog(dir), flags)
    const info = await this.withProgress('Reading the index', (onProgress) =>
      describeIndex(dir, collection, {onProgress, signal: this.signal, verbose: flags.verbose}),
    )
    await this.table(...hnswInfoTables(info))
    return info
  }
}
