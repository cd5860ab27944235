import {readCatalog} from '@chops/core/catalog'
import {ChopsCommand, collectionFlags, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {countsTable, snapshotText} from '../../render/snapshot.js'
import {COMPRESSIONS} from '../../services/format/compression.js'
import {
  planSnapshot,
  planSnapshots,
  snapshotCollection,
  type SnapshotPlan,
  type SnapshotResult,
} from '../../services/snapshot/snapshot-collections.js'

export interface CollectionSnapshotOutput {
  chromaVersion: string
  failed: {collection: string; collectionId: string; message: string}[]
  persistDirectory: string
  snapshots: SnapshotResult[]
  status: 'cancelled' | 'done'
}

export default class CollectionSnapshot extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Writes a collection into one file: an SQLite database with its records, documents, metadata, configuration and log, its index files, and a SHA-256 of every table, every file and the whole. "chops collection restore" makes the collection of it again, there or elsewhere, and "chops collection verify" checks it.

The index is checked first: one that no Chroma could load is refused. The directory is only read, and may be read-only; no other process can commit a write to it meanwhile. The file is there when it is whole, or not at all; memory does not grow with the documents and vectors.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs --output docs.snapshot',
      description: 'Write a collection into a file:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --all --output ./snapshots --yes',
      description: 'Write every collection into a folder, over the snapshots of last time:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma -c docs -d prod --tenant acme -o docs.snapshot --compress none',
      description: 'Choose among collections of the same name, and leave the index files as they are:',
    },
  ]

  static override flags = {
    ...collectionFlags,
    all: Flags.boolean({
      description: 'every collection of all tenants and databases, each in a file of the folder --output',
      exclusive: ['collection', 'database', 'tenant'],
    }),
    compress: Flags.option({
      default: 'zlib',
      description: 'how the index files are stored',
      options: COMPRESSIONS,
    })(),
    output: Flags.string({
      char: 'o',
      description: 'file to write; with --all a folder',
      helpValue: 'FILE',
      required: true,
    }),
    yes: Flags.boolean({char: 'y', default: false, description: 'overwrite existing files without asking'}),
  }

  static override summary = 'Write a collection into one file that can be verified and restored.'

  override async run(): Promise<CollectionSnapshotOutput> {
    const {args, flags} = await this.parse(CollectionSnapshot)
    const dir = await this.open(args.PERSIST_DIR)
    const catalog = await readCatalog(dir)
    const plans = flags.all
      ? await planSnapshots(dir, catalog.collections, flags.output)
      : [await planSnapshot(dir, await this.chooseCollection(catalog, flags), flags.output)]
    const output: CollectionSnapshotOutput = {
      chromaVersion: this.chromaVersion(dir),
      failed: [],
      persistDirectory: dir.path,
      snapshots: [],
      status: 'done',
    }
    if (!(await this.mayOverwrite(plans, flags.yes))) return {...output, status: 'cancelled'}
    for (const plan of plans) {
      const result = await this.attempt(plans.length === 1, plan, output.failed, () =>
        this.withProgress(`Copying collection ${plan.collection}`, (onProgress) =>
          snapshotCollection(dir, plan, {compression: flags.compress, onProgress, signal: this.signal}),
        ),
      )
      if (!result) continue
      output.snapshots.push(result)
      await this.table(countsTable(result.counts, `Collection ${result.collection}`))
      this.log(snapshotText(result))
    }

    return output
  }

  private async mayOverwrite(plans: readonly SnapshotPlan[], yes: boolean): Promise<boolean> {
    const files = plans.filter(({fileExists}) => fileExists).map(({file}) => file)
    if (files.length === 0) return true
    const what = files.length === 1 ? files[0] : `${files.length} files (${files.join(', ')})`
    if (await this.confirm(`Are you sure you want to overwrite ${what}?`, yes)) return true
    this.log('Cancelled: nothing was written.')
    return false
  }
}
