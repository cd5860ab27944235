import {collectionText, readCatalog} from '@chops/core/catalog'
import {withWriteAccess} from '@chops/core/change'
import {changeFlags, ChopsCommand, collectionFlags, persistDirArg} from '@chops/core/command'
import {usage} from '@chops/core/errors'

import {parametersOf, runtimeFlags} from '../../flags.js'
import {changesTable} from '../../render/rebuild.js'
import {type ConfigPlan, configure, planConfig} from '../../services/configure.js'

export interface HnswConfigOutput extends ConfigPlan {
  applied: boolean
  chromaVersion: string
  dryRun: boolean
}

export default class HnswConfig extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Changes parameters that an engine takes from its configuration each time it opens an index; the index itself stays as it is. Values that are set already are skipped. Parameters that are built into the graph are changed by hnsw rebuild.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma --collection docs --search-ef 200',
      description: 'Let searches look at more candidates:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma -c docs --batch-size 500 --sync-threshold 5000 --yes',
      description: 'Persist less often while much is written, without a question:',
    },
  ]

  static override flags = {...collectionFlags, ...runtimeFlags, ...changeFlags}

  static override summary = 'Change runtime parameters of an index.'

  override async run(): Promise<HnswConfigOutput> {
    const {args, flags} = await this.parse(HnswConfig)
    const wanted = parametersOf(flags)
    if (Object.keys(wanted).length === 0) {
      throw usage('No parameter is given.', {
        next: `Give one of --${Object.keys(runtimeFlags).join(', --')}.`,
      })
    }

    const dir = await this.open(args.PERSIST_DIR)
    const plan = planConfig(dir, await this.chooseCollection(await readCatalog(dir), flags), wanted)
    const output = {...plan, applied: false, chromaVersion: this.chromaVersion(dir), dryRun: flags['dry-run']}
    if (plan.changes.length === 0) {
      this.log(`Nothing to change: these values are set already for ${collectionText(plan)}.`)
      return output
    }

    await this.table(changesTable(plan.changes))
    const question = `Are you sure you want to change the parameters of ${collectionText(plan)}?`
    if ((await this.approve(dir, flags, question)) !== 'approved') return output
    await withWriteAccess(dir.path, flags, (writable) => configure(writable, plan))
    this.log(`Changed the parameters of ${collectionText(plan)}.`)
    return {...output, applied: true}
  }
}
