import {readCatalog} from '@chops/core/catalog'
import {changeFlags, ChopsCommand, collectionFlags, persistDirArg} from '@chops/core/command'

import {serverFlags, targetFlags} from '../../flags.js'
import {lostText, pushedLines, pushPlanTable} from '../../render/push.js'
import {parseEndpoint} from '../../services/transfer/endpoint.js'
import {planPush, type PushPlan} from '../../services/transfer/plan-push.js'
import {push, type Pushed} from '../../services/transfer/push.js'

export interface CollectionPushOutput {
  chromaVersion: string
  outcome: 'cancelled' | 'done' | 'dry-run'
  plan: PushPlan
  pushed: null | Pushed
}

export default class CollectionPush extends ChopsCommand {
  static override args = {PERSIST_DIR: persistDirArg}

  static override description = `Copies a collection to a running Chroma server (0.6 or later), a distributed Chroma or Chroma Cloud: records with their original embeddings, documents, metadata and URIs, those that are only in the log included, with the parameters of the index, the embedding function and the metadata of the collection. The directory is not changed. A missing tenant or database is made.

The server is asked for its limits, requests run side by side, and what fails for a moment is repeated. The push ends with a comparison: the count, and a sample of records read back. After an interruption the same command with --resume sends what is missing; it refuses a collection that has other records.

A token belongs into the environment variable CHROMA_TOKEN. It appears in no output, error or file.`

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> ./chroma -c articles --url http://localhost:8000',
      description: 'Copy a collection to a server:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma -c articles --url https://chroma.example.com --as articles-2 --to-tenant acme --to-database prod --yes',
      description: 'To another name and place, with the token that CHROMA_TOKEN holds, without a question:',
    },
    {
      command:
        '<%= config.bin %> <%= command.id %> ./chroma -c articles --url http://localhost:8000 --resume',
      description: 'Go on after an interruption:',
    },
  ]

  static override flags = {...collectionFlags, ...targetFlags, ...serverFlags, ...changeFlags}

  static override summary = 'Copy a collection to a running Chroma server.'

  override async run(): Promise<CollectionPushOutput> {
    const {args, flags} = await this.parse(CollectionPush)
    const endpoint = parseEndpoint({headers: flags.header, token: flags.token, url: flags.url})
    this.hideFromMessages(...endpoint.secrets)
    const dir = await this.open(args.PERSIST_DIR)
    const collection = await this.chooseCollection(await readCatalog(dir), flags)
    const target = {as: flags.as, database: flags['to-database'], tenant: flags['to-tenant']}
    const patience = 1000 * flags['retry-for']
    const plan = await this.withProgress('Looking at both sides', () =>
      planPush(dir, collection, endpoint, {patience, resume: flags.resume, signal: this.signal, target}),
    )
    await this.table(pushPlanTable(plan))
    if (plan.lost.length > 0) this.warn(lostText(plan))
    const output = {chromaVersion: this.chromaVersion(dir), plan, pushed: null}
    const question = `Are you sure you want to push ${plan.collection} to ${plan.target.url}?`
    const decision = await this.approve(dir, flags, question)
    if (decision !== 'approved') return {...output, outcome: decision}
    const pushed = await this.runSteps(
      {copy: 'Sending the records', verify: 'Reading some of them back'},
      (onStep) =>
        push(plan, endpoint, {
          batchSize: flags['batch-size'],
          onStep,
          parallel: flags.parallel,
          patience,
          signal: this.signal,
        }),
      {units: {copy: 'records'}},
    )
    this.log(...pushedLines(plan, pushed))
    if (plan.lost.length > 0) this.reportFindings()
    return {...output, outcome: 'done', pushed}
  }
}
