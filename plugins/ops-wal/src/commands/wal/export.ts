import {fullName, readCatalog, selectCollection} from '@chops/core/catalog'
import {ChopsCommand, persistDirArg} from '@chops/core/command'
import {usage} from '@chops/core/errors'
import {formatCount} from '@chops/core/output'
import * as Flags from '@oclif/core/flags'

import {inspectOutputFile, writeOutputFile} from '@chops/core/change'
import {writeOutputStream} from '../../services/output-stream.js'
import {exportLog, exportResult, type WalExport} from '../../services/wal-export.js'

/** Beyond its maximum oclif reads another number than was written. */
const SEQ_ID = {helpValue: 'SEQ', max: Number.MAX_SAFE_INTEGER, min: 0}

export default class WalExportCommand extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Writes the write-ahead log as JSON lines, one row a line in the order of its seq ids: seq_id, created_at, operation (0 add, 1 update, 2 upsert, 3 delete), topic, id, vector (the stored bytes in base64; null where there are none), encoding, and metadata (the stored text, with the document in it).

Standard output holds these lines and nothing else; with --out they go to a file, which is there only when it is whole. Memory does not grow with the log. The directory is not changed and may be read-only, but Chroma cannot commit a write to it until the export is done: let a slow reader read a file.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --out wal.jsonl',
      description: 'Export the whole log to a file:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma -c articles | jq -r .id | sort -u',
      description: 'List the ids that one collection has in the log:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma --since 1001 --until 2000 | gzip > part.jsonl.gz',
      description: 'Export a part of the log, compressed:',
    },
  ]

  static override flags = {
    collection: Flags.string({
      char: 'c',
      description: 'only the rows of this collection [default: all, and orphans]',
      helpValue: 'NAME',
    }),
    database: Flags.string({
      char: 'd',
      dependsOn: ['collection'],
      description: 'database of the collection [default: default_database, else the only one with that name]',
      helpValue: 'NAME',
    }),
    out: Flags.string({
      char: 'o',
      description: 'file to write [default: standard output]',
      helpValue: 'FILE',
    }),
    since: Flags.integer({...SEQ_ID, description: 'first seq id'}),
    tenant: Flags.string({
      dependsOn: ['collection'],
      description: 'tenant of the collection [default: default_tenant, else the only one with that name]',
      helpValue: 'NAME',
    }),
    until: Flags.integer({...SEQ_ID, description: 'last seq id'}),
    yes: Flags.boolean({char: 'y', description: 'overwrite an existing file without asking'}),
  }

  static override summary = 'Write the log as JSON lines, to a file or to standard output.'

  override async run(): Promise<WalExport> {
    const {args, flags} = await this.parse(WalExportCommand)
    if (this.jsonEnabled() && flags.out === undefined) {
      throw usage(
        'With --json standard output holds one JSON document, and the lines would come on top of it.',
        {
          next: 'Give a file with --out, or leave --json away.',
        },
      )
    }

    const dir = await this.open(args.PERSIST_DIR, 'read', {on: 'stderr'})
    const collection =
      flags.collection === undefined
        ? undefined
        : selectCollection(await readCatalog(dir), {...flags, name: flags.collection})
    if (collection) this.logToStderr(`Collection: ${fullName(collection)} (${collection.id})`)
    const selection = {collection, since: flags.since, until: flags.until}
    if (flags.out === undefined) {
      const rows = await writeOutputStream(process.stdout, 'standard output', (write) =>
        exportLog(dir, selection, write, {signal: this.signal}),
      )
      if (rows) this.logToStderr(`Exported ${formatCount(rows.records)} rows.`)
      return exportResult(dir, selection, null, rows)
    }

    const file = await inspectOutputFile(flags.out, dir.path)
    const question = `Are you sure you want to overwrite ${file.path}?`
    if (file.exists && !(await this.confirm(question, flags.yes))) {
      this.logToStderr('WAL export cancelled by user: nothing was written.')
      return exportResult(dir, selection, file.path)
    }

    const rows = await this.withProgress('Exporting the log', (onProgress) =>
      writeOutputFile(file.path, (write) =>
        exportLog(dir, selection, write, {onProgress, signal: this.signal}),
      ),
    )
    this.logToStderr(`Exported ${formatCount(rows.records)} rows to ${file.path}.`)
    return exportResult(dir, selection, file.path, rows)
  }
}
