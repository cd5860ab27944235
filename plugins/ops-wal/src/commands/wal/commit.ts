import {withWriteAccess} from '@chops/core/change'
import {changeFlags, ChopsCommand, memoryFlag, nameList, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {commitMemoryText, commitPlanTables, commitResultText} from '../../render/commit.js'
import {commit, type CommitPlan, type CommitResult, findObstacle, planCommit} from '../../services/commit.js'

const STEPS = {
  read: 'Reading the vectors',
  build: 'Adding to the graph',
  verify: 'Verifying vectors, links and recall',
  switch: 'Putting the new index in force',
}

export interface WalCommitOutput {
  chromaVersion: string
  committed: CommitResult[]
  dryRun: boolean
  failed: {collection: string; collectionId: string; message: string}[]
  planned: CommitPlan[]
}

export default class WalCommit extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Writes the pending part of the log into the HNSW index of every collection, so that its vectors no longer exist in the log alone. It works for every Chroma from 0.4.15 on, 1.x included, whose engine writes an index only every sync_threshold writes.

A small part is added to the graph there is; a large one, or a collection without an index, gets a new graph on all cores. Each index is built beside the old one, verified, and put in force in one SQLite transaction. A collection that cannot be committed is reported and left as it is; the others go on.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma',
      description: 'Commit the log of every collection:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --skip drafts,scratch --yes',
      description: 'Leave two collections out, without a question:',
    },
  ]

  static override flags = {
    skip: nameList({aliases: ['skip-collection-names'], char: 's', description: 'collections to leave out'}),
    'num-threads': Flags.integer({
      description: 'threads of a full build [default: all cores]',
      max: 1024,
      min: 1,
    }),
    ...memoryFlag,
    ...changeFlags,
  }

  static override summary = 'Write pending log rows into the indexes.'

  override async run(): Promise<WalCommitOutput> {
    const {args, flags} = await this.parse(WalCommit)
    const dir = await this.open(args.PERSIST_DIR)
    const {planned, unknownSkips} = await planCommit(dir, flags.skip ?? [])
    for (const name of unknownSkips) this.warn(`There is no collection "${name}" to skip.`)
    const pending = planned.filter((plan) => !plan.skipped && plan.pending > 0)
    const output: WalCommitOutput = {
      chromaVersion: this.chromaVersion(dir),
      committed: [],
      dryRun: flags['dry-run'],
      failed: [],
      planned,
    }
    await this.table(...commitPlanTables(planned))
    if (pending.length === 0) {
      this.log('Nothing is pending: every index has applied the whole log.')
      return output
    }

    const memory = commitMemoryText(pending)
    if (memory !== undefined) this.log(memory)
    const limits = {maxMemory: flags['max-memory'], signal: this.signal, threads: flags['num-threads']}
    if (flags['dry-run']) {
      for (const plan of pending) {
        const obstacle = await findObstacle(dir, plan, limits)
        if (obstacle !== undefined) this.warn(obstacle)
      }
    }

    const question = `Are you sure you want to commit the WAL in ${dir.path}?`
    if ((await this.approve(dir, flags, question)) !== 'approved') return output
    await withWriteAccess(dir.path, flags, async (writable) => {
      for (const plan of pending) {
        const result = await this.attempt(pending.length === 1, plan, output.failed, () =>
          this.runSteps(STEPS, (onStage) => commit(writable, plan, {...limits, onStage}), {
            units: {build: 'vectors'},
          }),
        )
        if (!result) continue
        output.committed.push(result)
        for (const warning of result.warnings) this.warn(warning)
        this.log(commitResultText(result))
      }
    })
    if (output.failed.length === 0) this.log('WAL commit completed.')
    return output
  }
}
