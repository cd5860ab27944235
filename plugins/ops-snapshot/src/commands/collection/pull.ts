import {changeFlags, ChopsCommand, persistDirArg} from '@chops/core/command'
import * as Flags from '@oclif/core/flags'

import {serverFlags, targetFlags} from '../../flags.js'
import {pulledLines, pullPlanTable} from '../../render/pull.js'
import {parseEndpoint} from '../../services/transfer/endpoint.js'
import {planPull, type PullPlan} from '../../services/transfer/plan-pull.js'
import {pull, type Pulled} from '../../services/transfer/pull.js'

export interface CollectionPullOutput {
  chromaVersion: string
  outcome: 'cancelled' | 'done' | 'dry-run'
  plan: PullPlan
  pulled: null | Pulled
}

export default class CollectionPull extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Copies a collection of a running Chroma server (0.6 or later), a distributed Chroma or Chroma Cloud into a directory, in the form of the Chroma that owns it: records with embeddings, documents, metadata and URIs, parameters of the index, embedding function and metadata of the collection.

Records are fetched into a file of the directory first; then the collection is made in one SQLite transaction, and its index built and verified. Interrupted before, the pull leaves nothing but that file, with which --resume goes on. It ends with a comparison: the count, and a sample of records.

A token belongs into the environment variable CHROMA_TOKEN. It appears in no output, error or file.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma -c articles --url http://localhost:8000',
      description: 'Copy a collection of a server:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma -c articles --tenant acme -d prod --url https://chroma.example.com --to-tenant default_tenant --to-database default_database --yes',
      description: 'From another database, with the token that CHROMA_TOKEN holds, without a question:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma -c articles --url http://localhost:8000 --resume',
      description: 'Go on after an interruption:',
    },
  ]

  static override flags = {
    collection: Flags.string({
      char: 'c',
      description: 'name of the collection on the server',
      helpValue: 'NAME',
      required: true,
    }),
    database: Flags.string({
      char: 'd',
      default: 'default_database',
      description: 'its database on the server',
      helpValue: 'NAME',
    }),
    tenant: Flags.string({
      default: 'default_tenant',
      description: 'its tenant on the server',
      helpValue: 'NAME',
    }),
    ...targetFlags,
    ...serverFlags,
    ...changeFlags,
  }

  static override summary = 'Copy a collection of a running Chroma server into the directory.'

  override async run(): Promise<CollectionPullOutput> {
    const {args, flags} = await this.parse(CollectionPull)
    const endpoint = parseEndpoint({headers: flags.header, token: flags.token, url: flags.url})
    this.hideFromMessages(...endpoint.secrets)
    const dir = await this.open(args.PERSIST_DIR)
    const source = {database: flags.database, name: flags.collection, tenant: flags.tenant}
    const target = {as: flags.as, database: flags['to-database'], tenant: flags['to-tenant']}
    const patience = 1000 * flags['retry-for']
    const plan = await this.withProgress('Looking at both sides', () =>
      planPull(dir, endpoint, source, {patience, signal: this.signal, target}),
    )
    await this.table(pullPlanTable(plan))
    const output = {chromaVersion: this.chromaVersion(dir), plan, pulled: null}
    const question = `Are you sure you want to pull ${plan.collection} into ${dir.path}?`
    const decision = await this.approve(dir, flags, question)
    if (decision !== 'approved') return {...output, outcome: decision}
    const pulled = await this.runSteps(
      {
        copy: 'Fetching the records',
        write: 'Writing them into the database',
        build: 'Building the index',
        verify: 'Comparing some of them',
      },
      (onStep) =>
        pull(plan, endpoint, {
          batchSize: flags['batch-size'],
          force: flags.force,
          generation: dir.generation,
          onStep,
          parallel: flags.parallel,
          patience,
          resume: flags.resume,
          signal: this.signal,
        }),
      {units: {copy: 'records', write: 'records'}},
    )
    this.log(...pulledLines(plan, pulled))
    return {...output, outcome: 'done', pulled}
  }
}
