import {ChopsCommand} from '@chops/core/command'
import * as Args from '@oclif/core/args'

import {countsTable} from '../../render/snapshot.js'
import {snapshotTable, UNVERIFIABLE_ROWS, verifiedText} from '../../render/verify.js'
import {type VerifiedSnapshot, verifyFile} from '../../services/verify-file.js'

export default class CollectionVerify extends ChopsCommand {
  static override args = {
    FILE: Args.string({description: 'a snapshot that "chops collection snapshot" wrote', required: true}),
  }

  static override description = `Checks a snapshot without a directory: that no byte of it has changed, that every table and every index file has its checksum, that its rows belong together, and that Chroma can load its index. Exit code 4 says that something is wrong, and the error what.

A snapshot that the Python tool wrote is checked as far as it can be: it has checksums of the index files, and none of the rows.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> docs.snapshot', description: 'Check a snapshot:'},
    {
      command: '<%= config.bin %> <%= command.id %> docs.snapshot --json > /dev/null || rm docs.snapshot',
      description: 'Remove a snapshot that is damaged:',
    },
  ]

  static override summary = 'Check a snapshot: every checksum, and its index.'

  override async run(): Promise<VerifiedSnapshot> {
    const {args} = await this.parse(CollectionVerify)
    const verified = await this.withProgress('Verifying the snapshot', (onProgress) =>
      verifyFile(args.FILE, {onProgress, signal: this.signal}),
    )
    this.log(`ChromaDB version: ${verified.chromaVersion}`)
    if (verified.layout === 'python') this.warn(UNVERIFIABLE_ROWS)
    await this.table(snapshotTable(verified), countsTable(verified.counts, 'Counts'))
    this.log(verifiedText(verified))
    return verified
  }
}
