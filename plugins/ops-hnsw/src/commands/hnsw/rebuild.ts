import {collectionText, readCatalog} from '@chops/core/catalog'
import {
  changeFlags,
  ChopsCommand,
  collectionFlags,
  memoryFlag,
  persistDirArg,
  shareFlag,
} from '@chops/core/command'
import {withWriteAccess} from '@chops/core/change'
import * as Flags from '@oclif/core/flags'

import {constructionFlags, parametersOf, runtimeFlags} from '../../flags.js'
import {hnswInfoTables} from '../../render/hnsw-info.js'
import {changesTable, planText, resultLines} from '../../render/rebuild.js'
import {selectFragmented} from '../../services/fragmented.js'
import {planRebuild, rebuild, type RebuildPlan, type RebuildResult} from '../../services/rebuild.js'

const STEPS = {
  read: 'Reading the vectors',
  build: 'Building the graph',
  verify: 'Verifying vectors, links and recall',
  switch: 'Putting the new index in force',
}

export interface HnswRebuildOutput {
  chromaVersion: string
  dryRun: boolean
  failed: {collection: string; collectionId: string; message: string}[]
  planned: RebuildPlan[]
  rebuilt: RebuildResult[]
}

export default class HnswRebuild extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Makes an index anew from its live vectors and the pending part of the log: deleted elements go, and parameters that are fixed at creation can be changed, the space too. Where M and the space stay, and not too much was deleted, the old graph is repaired: only what lost links gets new ones. Otherwise, and where the links are damaged, the graph is built from the vectors alone.

The new index is built beside the old one, read back and verified, and put in force in one SQLite transaction; the old folder is kept as a backup.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs',
      description: 'Defragment the index of a collection:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma --collection docs --space cosine --m 32 --construction-ef 200',
      description: 'Change parameters that are otherwise fixed:',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --all --fragmentation 0.2 --yes --no-backup',
      description: 'Rebuild every index with more than 20 % deleted elements, without a question:',
    },
  ]

  static override flags = {
    ...collectionFlags,
    all: Flags.boolean({
      description: 'every collection above --fragmentation or with a damaged index',
      exclusive: ['collection'],
    }),
    fragmentation: shareFlag({
      default: 0.2,
      description: 'with --all: share of deleted elements from which on an index is rebuilt',
    }),
    backup: Flags.boolean({allowNo: true, char: 'b', default: true, description: 'keep the old index'}),
    method: Flags.option({
      default: 'auto',
      description:
        'repair the links around deleted elements, or build the graph from the vectors alone; auto takes what is expected to be faster',
      options: ['auto', 'repair', 'full'] as const,
    })(),
    ...constructionFlags,
    ...runtimeFlags,
    ...memoryFlag,
    ...changeFlags,
  }

  static override summary = 'Rebuild an index compactly, with changed parameters if asked.'

  override async run(): Promise<HnswRebuildOutput> {
    const {args, flags} = await this.parse(HnswRebuild)
    const wanted = parametersOf(flags)
    const dir = await this.open(args.PERSIST_DIR)
    const catalog = await readCatalog(dir)
    const chosen = flags.all
      ? await selectFragmented(dir, catalog, flags, {signal: this.signal})
      : [await this.chooseCollection(catalog, flags)]
    const planned: RebuildPlan[] = []
    const output: HnswRebuildOutput = {
      chromaVersion: this.chromaVersion(dir),
      dryRun: flags['dry-run'],
      failed: [],
      planned,
      rebuilt: [],
    }
    if (chosen.length === 0) this.log('No index is that fragmented: nothing to rebuild.')
    for (const collection of chosen) {
      const item = {collection: collection.name, collectionId: collection.id}
      const plan = await this.attempt(chosen.length === 1, item, output.failed, () =>
        planRebuild(dir, collection, wanted, {
          maxMemory: flags['max-memory'],
          method: flags.method,
          signal: this.signal,
          thorough: flags['dry-run'],
          threads: flags['num-threads'],
        }),
      )
      if (plan) planned.push(plan)
    }

    await this.showPlan(planned)
    if (planned.length === 0) return output
    const question = `Are you sure you want to rebuild the index of ${planned.map((plan) => collectionText(plan)).join(', ')}?`
    if ((await this.approve(dir, flags, question)) !== 'approved') return output
    await withWriteAccess(dir.path, flags, async (writable) => {
      for (const plan of planned) {
        const result = await this.attempt(chosen.length === 1, plan, output.failed, () =>
          this.runSteps(
            STEPS,
            (onStage) =>
              rebuild(writable, plan, {
                backup: flags.backup,
                maxMemory: flags['max-memory'],
                method: flags.method,
                onStage,
                signal: this.signal,
                threads: flags['num-threads'],
              }),
            // A repair goes through an element more than once.
            {units: plan.method === 'full' ? {build: 'vectors'} : {}},
          ),
        )
        if (!result) continue
        output.rebuilt.push(result)
        for (const warning of result.warnings) this.warn(warning)
        if (result.after) await this.table(...hnswInfoTables(result.after))
        this.log(...resultLines(result))
      }
    })
    return output
  }

  private async showPlan(planned: RebuildPlan[]): Promise<void> {
    for (const plan of planned) {
      if (plan.damage !== null)
        this.warn(`${plan.damage} A new index is made from its vectors, which can be read.`)
      if (plan.before) await this.table(...hnswInfoTables(plan.before))
      if (plan.changes.length > 0) await this.table(changesTable(plan.changes))
      this.log(planText(plan))
    }
  }
}
