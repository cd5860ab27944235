import {readCatalog} from '@chops/core/catalog'
import {ChopsCommand, collectionFlags, persistDirArg} from '@chops/core/command'
import {RecordReader} from '@chops/core/records'

export interface IdsList {
  collection: string
  ids: string[]
}

export default class IdsListCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Lists the ids of the records of a collection as Chroma would answer: those that are still in the log too.

Nothing is changed.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs',
      description: 'List the ids of a collection:',
    },
  ]

  static override flags = {...collectionFlags}

  static override summary = 'List the ids of the records of a collection.'

  override async run(): Promise<IdsList> {
    const {args, flags} = await this.parse(IdsListCommand)
    const dir = await this.open(args.PERSIST_DIR, 'read', {on: 'stderr'})
    const collection = await this.chooseCollection(await readCatalog(dir), flags)
    const records = await RecordReader.open(dir, collection, {signal: this.signal})
    const ids: string[] = []
    try {
      for await (const page of records.ids({signal: this.signal})) ids.push(...page)
    } finally {
      records.close()
    }

    for (const id of ids) this.log(id)
    return {collection: collection.name, ids}
  }
}
