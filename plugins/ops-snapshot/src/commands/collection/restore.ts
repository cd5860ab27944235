import {changeFlags, ChopsCommand, persistDirArg} from '@chops/core/command'
import {generationText, type PersistDir} from '@chops/core/persist-dir'
import * as Flags from '@oclif/core/flags'
import {resolve} from 'node:path'

import {newName} from '../../flags.js'
import {planText, questionText, restoredLines} from '../../render/restore.js'
import {countsTable} from '../../render/snapshot.js'
import {UNVERIFIABLE_ROWS} from '../../render/verify.js'
import {openSnapshot, type Snapshot} from '../../services/format/open.js'
import {isNewDirectory} from '../../services/restore/new-directory.js'
import {planRestore, type RestorePlan, restoreSnapshot} from '../../services/restore/restore-file.js'
import type {RestoreWish} from '../../services/restore/target.js'

const STEPS = {
  copy: 'Writing the index, the records and the full-text index',
  switch: 'Putting the collection in force',
}

export interface CollectionRestoreOutput extends RestorePlan {
  backup: null | string
  chromaVersion: string
  collectionId: null | string
  dryRun: boolean
  persistDirectory: string
  segmentId: null | string
  status: 'cancelled' | 'planned' | 'restored'
}

export default class CollectionRestore extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Makes a collection again from a snapshot: in the directory that it came from, in another one, or in a new directory, which is made as the Chroma of the snapshot would have made it. A snapshot of an older Chroma goes into the directory of a newer one; the other way round what the older one has no place for is refused. Snapshots of the Python tool are read as well.

The snapshot is verified: its seal and whether its rows fit together first, every other checksum and the index before anything of it is in force. Ids that are taken are given anew, and the log goes on where that of the directory ends. All rows come in one transaction and the index in a new folder, so that a restore that is killed leaves everything as it was.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --input docs.snapshot --as docs_before',
      description: 'Restore a collection beside the one that there is:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --input docs.snapshot --replace --yes',
      description: 'Put it in the place of the one that there is, which may be damaged:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> /srv/new-chroma --input docs.snapshot --tenant acme -d prod',
      description: 'Make a new directory with it, in another database:',
    },
  ]

  static override flags = {
    as: newName({description: 'name of the restored collection [default: as in the snapshot]'}),
    database: newName({
      char: 'd',
      description: 'database to restore into, made if missing [default: as in the snapshot]',
    }),
    input: Flags.string({char: 'i', description: 'the snapshot', helpValue: 'FILE', required: true}),
    replace: Flags.boolean({
      default: false,
      description: 'put it in the place of a collection of that name, whose index is kept as a backup',
    }),
    tenant: newName({
      description: 'tenant to restore into, made if missing [default: as in the snapshot]',
    }),
    ...changeFlags,
  }

  static override summary = 'Make a collection again from a snapshot.'

  override async run(): Promise<CollectionRestoreOutput> {
    const {args, flags} = await this.parse(CollectionRestore)
    const persistDir = resolve(args.PERSIST_DIR)
    const snapshot = await openSnapshot(flags.input, this.signal)
    try {
      const dir = (await isNewDirectory(persistDir)) ? undefined : await this.open(persistDir)
      const plan = await this.plan(dir, snapshot, flags)
      const output: CollectionRestoreOutput = {
        ...plan,
        backup: null,
        chromaVersion: generationText((dir ?? snapshot).generation),
        collectionId: null,
        dryRun: flags['dry-run'],
        persistDirectory: persistDir,
        segmentId: null,
        status: 'planned',
      }
      const answer = await this.ask(dir, flags, questionText(plan, persistDir))
      if (answer !== 'approved') return {...output, status: answer === 'cancelled' ? answer : 'planned'}
      const restored = await this.runSteps(STEPS, (onStep) =>
        restoreSnapshot(persistDir, plan, snapshot, flags, {force: flags.force, onStep, signal: this.signal}),
      )
      if (restored.warning !== undefined) this.warn(restored.warning)
      this.log(...restoredLines(plan, restored))
      const {backup, collectionId, segmentId} = restored
      return {...output, backup: backup ?? null, collectionId, segmentId, status: 'restored'}
    } finally {
      await snapshot.close()
    }
  }

  private async plan(
    dir: PersistDir | undefined,
    snapshot: Snapshot,
    flags: RestoreWish & {'dry-run': boolean},
  ): Promise<RestorePlan> {
    if (!dir) this.log(`ChromaDB version: ${generationText(snapshot.generation)}`)
    if (snapshot.layout === 'python') this.warn(UNVERIFIABLE_ROWS)
    const plan = await this.withProgress('Verifying the snapshot', () =>
      planRestore(dir, snapshot, flags, {isDryRun: flags['dry-run'], signal: this.signal}),
    )
    this.log(planText(plan))
    await this.table(countsTable(plan.counts, `Collection ${plan.name}`))
    return plan
  }

  /** There is nothing to look for in use, or to close, in a directory that is not there yet. */
  private async ask(
    dir: PersistDir | undefined,
    flags: {'dry-run': boolean; force: boolean; yes: boolean},
    question: string,
  ): Promise<'approved' | 'cancelled' | 'dry-run'> {
    if (dir) return this.approve(dir, flags, question)
    if (flags['dry-run']) {
      this.log('Dry run: nothing was changed.')
      return 'dry-run'
    }

    if (await this.confirm(question, flags.yes)) return 'approved'
    this.log('Cancelled: nothing was changed.')
    return 'cancelled'
  }
}
