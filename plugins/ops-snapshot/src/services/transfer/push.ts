import {findCollection, hnswParametersOf} from '@chops/core/catalog'
import {damaged, usage} from '@chops/core/errors'
import {openPersistDir} from '@chops/core/persist-dir'
import {type ChromaRecord, RecordReader} from '@chops/core/records'

import type {Endpoint} from './endpoint.js'
import type {PushPlan} from './plan-push.js'

import {batchesOf} from './batches.js'
import {carriedCollection} from './carried.js'
import {ChromaServer, type RemoteCollection} from './chroma-server.js'
import {differenceOf} from './compare.js'
import {readOwnMetadata} from './own-metadata.js'
import {inParallel} from './parallel.js'
import {requireFitting} from './plan-push.js'
import {retrying} from './retry.js'
import {speaking} from './server-error.js'
import {isSendable} from './wire.js'

export interface TransferOptions {
  /** Records in one request, as far as the server takes as many. */
  batchSize?: number | undefined
  onStep?: ((step: 'copy' | 'verify', done: number, total: number) => void) | undefined
  /** Requests under way at once. */
  parallel: number
  /** How long a request may fail before it is given up, in milliseconds. */
  patience: number
  signal: AbortSignal
}

export interface Pushed {
  /** The collection's id on the server. */
  id: string
  /** Requests that had to be repeated. */
  retries: number
  sent: number
  /** Records that an earlier push had sent. */
  skipped: number
  /** Records that were read back from the server and compared. */
  verified: number
}

const DEFAULT_BATCH = 1000
/** How many records are read back and compared, and how many with one request. */
const SAMPLE = 200
const COMPARED_AT_ONCE = 50

/**
 * Sends the records of a planned push and compares a sample of what arrived. A record is written whole or not at all,
 * and writing it again changes nothing, so a push that ends at any point can be taken up again.
 *
 * @throws ChopsError that says what the server refused, or how the copy differs
 */
export async function push(plan: PushPlan, endpoint: Endpoint, options: TransferOptions): Promise<Pushed> {
  const {signal} = options
  const dir = await openPersistDir(plan.persistDirectory)
  try {
    const collection = await findCollection(dir, {id: plan.collectionId})
    const reader = await RecordReader.open(dir, collection, {signal})
    try {
      const transfer = new Push(plan, endpoint, reader, options)
      const own = {metadata: await readOwnMetadata(dir, collection.id), name: plan.target.name}
      return await transfer.run(({isPython}) =>
        carriedCollection(collection, hnswParametersOf(dir, collection), {...own, isPython}),
      )
    } finally {
      reader.close()
    }
  } finally {
    await dir.close()
  }
}

class Push {
  private retries = 0

  constructor(
    private readonly plan: PushPlan,
    private readonly endpoint: Endpoint,
    private readonly reader: RecordReader,
    private readonly options: TransferOptions,
  ) {}

  async run(describe: (server: ChromaServer) => ReturnType<typeof carriedCollection>): Promise<Pushed> {
    const {endpoint, options, plan} = this
    const {database, tenant} = plan.target
    const server = await this.asking('meeting it', () =>
      ChromaServer.connect(endpoint, {database, tenant}, options.signal),
    )
    const remote = await this.target(server, describe)
    const present = await this.present(server, remote)
    if (present.size > 0) await this.verify(server, remote, (id) => present.has(id))
    const sent = await this.send(server, remote, present)
    const verified = await this.verify(server, remote, () => true)
    await this.verifyCount(server, remote)
    return {id: remote.id, retries: this.retries, sent, skipped: present.size, verified}
  }

  private async target(
    server: ChromaServer,
    describe: (server: ChromaServer) => ReturnType<typeof carriedCollection>,
  ): Promise<RemoteCollection> {
    const {endpoint, plan} = this
    const found = await this.asking('looking for the collection', async () => {
      if (!(await server.hasPlace())) await server.createPlace()
      return server.describe(plan.target.name)
    })
    // What the plan did not see, somebody else made meanwhile: creating it then fails. So it is not repeated either.
    const remote =
      found && plan.target.records !== null
        ? found
        : await speaking(endpoint, 'making the collection', () => server.create(describe(server)))
    requireFitting({dimension: plan.dimension, name: plan.collection}, plan.space, remote, this.where())
    return remote
  }

  /** The ids that the server has already. All of them have to be the collection's own: another's are no push to resume. */
  private async present(server: ChromaServer, remote: RemoteCollection): Promise<Set<string>> {
    const present = new Set<string>()
    if (this.plan.target.records === null) return present
    const pages = server.ids(remote, (page) => this.asking('listing its records', page))
    for await (const ids of pages) for (const id of ids) present.add(id)
    const foreign = new Set(present)
    for await (const ids of this.reader.ids(this.options)) for (const id of ids) foreign.delete(id)
    if (foreign.size === 0) return present
    const [example] = foreign
    throw usage(
      `The collection ${this.where()} has ${foreign.size} records that are not in ${this.plan.collection}, as ${JSON.stringify(example)}.`,
      {
        next: 'It is not an interrupted push of this collection, or records were deleted here since; push under another name with --as.',
      },
    )
  }

  private async send(
    server: ChromaServer,
    remote: RemoteCollection,
    present: ReadonlySet<string>,
  ): Promise<number> {
    const {options, plan, reader} = this
    const total = plan.records - plan.lost.length
    const size = Math.min(options.batchSize ?? DEFAULT_BATCH, server.maxBatch)
    const pages = reader.pages({
      pageSize: Math.min(size, 500),
      signal: options.signal,
      wanted: (id) => reader.hasVector(id) && !present.has(id),
    })
    let sent = 0
    options.onStep?.('copy', present.size, total)
    await inParallel(batchesOf(pages, size), options.parallel, async (batch) => {
      requireSendable(batch, server)
      await this.asking('writing records', () => server.upsert(remote, batch))
      sent += batch.length
      options.onStep?.('copy', present.size + sent, total)
    })
    return sent
  }

  /** Compares records spread over the whole collection, as many as the sample has. */
  private async verify(
    server: ChromaServer,
    remote: RemoteCollection,
    isThere: (id: string) => boolean,
  ): Promise<number> {
    const {options, reader} = this
    const sample = await this.sample(isThere)
    for (let from = 0; from < sample.length; from += COMPARED_AT_ONCE) {
      const ids = sample.slice(from, from + COMPARED_AT_ONCE)
      const copies = await this.asking('reading records back', () => server.get(remote, ids))
      const byId = new Map(copies.map((copy) => [copy.id, copy]))
      for (const original of await reader.byIds(ids)) this.compare(original, byId.get(original.id))
      options.onStep?.('verify', from + ids.length, sample.length)
    }

    return sample.length
  }

  private async sample(isThere: (id: string) => boolean): Promise<string[]> {
    const {options, plan, reader} = this
    const step = Math.max(1, Math.floor(plan.records / SAMPLE))
    const sample: string[] = []
    let position = 0
    for await (const ids of reader.ids(options)) {
      for (const id of ids) {
        if (!isThere(id) || !reader.hasVector(id)) continue
        if (position % step === 0) sample.push(id)
        position += 1
      }
    }

    return sample
  }

  private compare(original: ChromaRecord, copy: ChromaRecord | undefined): void {
    const difference = copy ? differenceOf(original, copy) : 'record'
    if (difference === undefined) return
    const what = difference === 'record' ? 'is not there' : `has another ${difference} there`
    throw damaged(
      `The record ${JSON.stringify(original.id)} of ${this.plan.collection} ${what}, in ${this.where()}.`,
      {
        next: 'It was changed on one of the two sides meanwhile; push under another name with --as, and delete this copy.',
      },
    )
  }

  private async verifyCount(server: ChromaServer, remote: RemoteCollection): Promise<void> {
    const expected = this.plan.records - this.plan.lost.length
    const found = await this.asking('counting records', () => server.count(remote))
    if (found === expected) return
    throw damaged(`The collection ${this.where()} has ${found} records instead of ${expected}.`, {
      next: 'Something else writes to it; push under another name with --as.',
    })
  }

  private asking<T>(doing: string, request: () => Promise<T>): Promise<T> {
    const {patience, signal} = this.options
    const onRetry = (): void => {
      this.retries += 1
    }

    return speaking(this.endpoint, doing, () => retrying(request, {onRetry, patience, signal}))
  }

  private where(): string {
    const {database, name, tenant, url} = this.plan.target
    return `${tenant}/${database}/${name} at ${url}`
  }
}

/** Checked here, because a server may take such a value and keep another. */
function requireSendable(batch: readonly ChromaRecord[], {isPython, version}: ChromaServer): void {
  for (const {embedding, id, metadata} of batch) {
    if (!embedding?.every((value) => Number.isFinite(value))) {
      throw usage(
        `The embedding of the record ${JSON.stringify(id)} has a value that is no finite number, which JSON cannot say.`,
        {next: 'Embed the record again with Chroma, then run the command again with --resume.'},
      )
    }

    for (const [key, value] of Object.entries(metadata ?? {})) {
      const what = `The metadata ${JSON.stringify(key)} of the record ${JSON.stringify(id)}`
      if (isPython && Array.isArray(value)) {
        throw usage(`${what} is a list, which Chroma ${version} does not know.`, {
          next: 'Push to a server of Chroma 1.5 or later.',
        })
      }

      if (!isSendable(value)) {
        throw usage(`${what} is infinite, which JSON cannot say.`, {
          next: 'Change it with Chroma, then run the command again with --resume.',
        })
      }
    }
  }
}
