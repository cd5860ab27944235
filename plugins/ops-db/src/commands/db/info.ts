import {ChopsCommand, nameList, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'
import {resolve} from 'node:path'

import {databaseInfoTables} from '../../render/database-info.js'
import {type DatabaseInfo, describeDatabase} from '../../services/database-info.js'
import {redact, REDACTED} from '../../services/redact.js'

export interface DbInfoOutput extends DatabaseInfo {
  failed: {collection: string; collectionId: string; message: string}[]
}

export default class DbInfo extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Shows what is in a persist directory: its generation, sizes and leftovers, and for each collection of every tenant and database its records, its part of the log, and the exact state of its index.

A collection whose index cannot be read is named at the end, and the others are shown. Nothing is changed, not even a timestamp, so it works on a read-only mount and beside a running Chroma.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> ./chroma', description: 'Describe a directory:'},
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --privacy-mode',
      description: 'Describe it without paths, names and metadata, to share the output:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --skip-collection-names big,bigger --json',
      description: 'Leave two collections out and print JSON:',
    },
  ]

  static override flags = {
    'privacy-mode': Flags.boolean({char: 'p', description: 'show no path, no name and no metadata'}),
    'skip-collection-names': nameList({char: 's', description: 'collections to leave out'}),
  }

  static override summary = 'Show sizes, collections and the exact state of every index.'

  override async run(): Promise<DbInfoOutput> {
    const {args, flags} = await this.parse(DbInfo)
    if (flags['privacy-mode']) this.hideFromMessages(resolve(args.PERSIST_DIR), args.PERSIST_DIR)
    const dir = await this.open(args.PERSIST_DIR)
    const {failures, included, info, unknownSkips} = await this.withProgress(
      'Reading the indexes',
      (onProgress) =>
        describeDatabase(dir, {
          onProgress,
          signal: this.signal,
          skip: flags['skip-collection-names'] ?? [],
        }),
    )
    const isPrivate = flags['privacy-mode'] ?? false
    // What is nearly a name may give the name away.
    for (const name of unknownSkips)
      this.warn(`There is no collection "${isPrivate ? REDACTED : name}" to skip.`)
    const output: DbInfoOutput = {...(isPrivate ? redact(info) : info), failed: []}
    await this.table(...databaseInfoTables(output))
    for (const {collection, error} of failures) {
      const {database, id, name, tenant} = collection
      if (isPrivate) this.hideFromMessages(name, database, tenant)
      const item = {collection: isPrivate ? REDACTED : name, collectionId: id}
      await this.attempt(included === 1, item, output.failed, () => Promise.reject(error))
    }

    return output
  }
}
