import {ChopsCommand, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {collectionListTable} from '../../render/collection-list.js'
import {type CollectionList, listCollections} from '../../services/list-collections.js'

export default class CollectionListCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Lists the collections of a directory over all tenants and databases: name, id, number of records as Chroma counts them, dimension and distance.

Nothing is changed, and no index file is read.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> ./chroma', description: 'List all collections:'},
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --tenant acme -d prod',
      description: 'List those of one database:',
    },
    {
      command: "<%= config.bin %> <%= command.id %> ./chroma --json | jq -r '.collections[].name'",
      description: 'Get the names, for a script:',
    },
  ]

  static override flags = {
    database: Flags.string({
      char: 'd',
      description: 'only collections of databases of this name [default: all]',
      helpValue: 'NAME',
    }),
    tenant: Flags.string({description: 'only collections of this tenant [default: all]', helpValue: 'NAME'}),
  }

  static override summary = 'List the collections of a directory.'

  override async run(): Promise<CollectionList> {
    const {args, flags} = await this.parse(CollectionListCommand)
    const dir = await this.open(args.PERSIST_DIR)
    const list = await this.withProgress('Counting the records', () => listCollections(dir, flags))
    if (list.collections.length === 0) this.log('There is no collection.')
    else await this.table(collectionListTable(list))
    return list
  }
}
