import {findCollection} from '@chops/core/catalog'
import {requireFreeSpace, withWriteAccess} from '@chops/core/change'
import {damaged, notFound, usage} from '@chops/core/errors'
import type {Generation, PersistDir} from '@chops/core/persist-dir'
import {RecordReader} from '@chops/core/records'
import {commitLog, type Stage} from '@chops/core/reindex'

import type {Endpoint} from './endpoint.js'
import type {PullPlan} from './plan-pull.js'

import {parametersOf} from './carried.js'
import {ChromaServer, type RemoteCollection} from './chroma-server.js'
import {differenceOf} from './compare.js'
import {inParallel} from './parallel.js'
import {retrying} from './retry.js'
import {insertCollection} from './insert-collection.js'
import {speaking} from './server-error.js'
import {StagingFile} from './staging-file.js'
import {requireStorable} from './storable.js'

export type PullStep = 'build' | 'copy' | 'verify' | 'write'

export interface PullOptions {
  batchSize?: number | undefined
  force?: boolean | undefined
  /** Of the directory. */
  generation: Generation
  onStep?: ((step: PullStep, done: number, total: number) => void) | undefined
  parallel: number
  patience: number
  resume: boolean
  signal: AbortSignal
}

export interface Pulled {
  /** The collection's id in the directory. */
  id: string
  /** Records that this call fetched. */
  fetched: number
  /** Records that an interrupted pull had fetched. */
  kept: number
  /** Requests that had to be repeated. */
  retries: number
  /** Records that were read back from the directory and compared with the server's. */
  verified: number
}

const DEFAULT_BATCH = 500
const PAGE = 500
const SAMPLE = 200
const COMPARED_AT_ONCE = 50
/** Log, tables and index take about this many times the bytes of the vectors. */
const ROOM = 5

/**
 * Fetches the records of a planned pull into a file of the directory, then makes the collection in one transaction, then
 * builds its index as `wal commit` does, and compares a sample with the server. A pull that ends before the transaction
 * leaves nothing but that file, with which `resume` goes on; one that ends after it leaves a whole collection, whose
 * vectors are in the log.
 *
 * @throws ChopsError that says what the server refused, or how the copy differs
 */
export async function pull(plan: PullPlan, endpoint: Endpoint, options: PullOptions): Promise<Pulled> {
  return new Pull(plan, endpoint, options).run()
}

class Pull {
  private retries = 0

  constructor(
    private readonly plan: PullPlan,
    private readonly endpoint: Endpoint,
    private readonly options: PullOptions,
  ) {}

  async run(): Promise<Pulled> {
    const {endpoint, options, plan} = this
    const {database, tenant} = plan
    const server = await this.asking('meeting it', () =>
      ChromaServer.connect(endpoint, {database, tenant}, options.signal),
    )
    const remote = await this.asking('describing the collection', () => server.describe(plan.collection))
    if (remote?.id !== plan.collectionId) {
      throw notFound(`The collection ${plan.collection} has been deleted on the server meanwhile.`)
    }

    const path = StagingFile.pathFor(plan.persistDirectory, [
      endpoint.baseUrl,
      remote.id,
      plan.target.tenant,
      plan.target.database,
      plan.target.name,
    ])
    const file = await StagingFile.open(path, options)
    try {
      const kept = file.ids.size
      const ids = await this.ids(server, remote, file)
      await this.fetch(server, remote, {file, ids})
      return await withWriteAccess(plan.persistDirectory, options, async (dir) => {
        const id = await this.insert(dir, remote, file)
        await file.remove()
        await commitLog(dir, {id}, {onStage: this.onStage, signal: options.signal})
        const verified = await this.verify(dir, id, {ids, remote, server})
        return {fetched: ids.length - kept, id, kept, retries: this.retries, verified}
      })
    } finally {
      await file.close()
    }
  }

  /** The ids of the collection. What an interrupted pull fetched of it must still be there. */
  private async ids(server: ChromaServer, remote: RemoteCollection, file: StagingFile): Promise<string[]> {
    const ids: string[] = []
    const pages = server.ids(remote, (page) => this.asking('listing its records', page))
    for await (const page of pages) ids.push(...page)
    const known = new Set(ids)
    const gone = [...file.ids].find((id) => !known.has(id))
    if (gone === undefined) return ids
    throw usage(`The record ${JSON.stringify(gone)} of the interrupted pull is no longer on the server.`, {
      next: 'Run the command without --resume, to begin anew.',
    })
  }

  private async fetch(
    server: ChromaServer,
    remote: RemoteCollection,
    {file, ids}: {file: StagingFile; ids: string[]},
  ): Promise<void> {
    const {options} = this
    const size = Math.min(options.batchSize ?? DEFAULT_BATCH, server.maxBatch)
    const missing = ids.filter((id) => !file.ids.has(id))
    options.onStep?.('copy', ids.length - missing.length, ids.length)
    await inParallel(chunks(missing, size), options.parallel, async (some) => {
      const records = await this.asking('reading records', () => server.get(remote, some))
      if (records.length !== some.length) {
        throw damaged(`Records of ${this.plan.collection} went away on the server while they were read.`, {
          next: 'Nothing was changed; see to it on the server, and run the command again.',
        })
      }

      requireStorable(records, {dimension: remote.dimension, generation: options.generation})
      await file.append(records)
      options.onStep?.('copy', file.ids.size, ids.length)
    })
  }

  private async insert(dir: PersistDir, remote: RemoteCollection, file: StagingFile): Promise<string> {
    const {options, plan} = this
    const {dimension, metadata} = remote
    await requireFreeSpace(dir.path, ROOM * 4 * (dimension ?? 0) * file.ids.size, 'the collection')
    return insertCollection(
      dir,
      {
        ...plan.target,
        dimension: file.ids.size === 0 ? null : dimension,
        embeddingFunction: remote.configuration.embedding_function,
        metadata,
        parameters: parametersOf(remote),
      },
      file.pages(PAGE),
      {
        onProgress: (done, total) => options.onStep?.('write', done, total),
        signal: options.signal,
        total: file.ids.size,
      },
    )
  }

  /** Reads records back as Chroma will answer for them, and compares them with the server's. */
  private async verify(
    dir: PersistDir,
    id: string,
    {ids, remote, server}: {ids: string[]; remote: RemoteCollection; server: ChromaServer},
  ): Promise<number> {
    const {options} = this
    const collection = await findCollection(dir, {id})
    const reader = await RecordReader.open(dir, collection, options)
    try {
      const count = await reader.count()
      if (count !== ids.length) throw new Error(`${count} records instead of ${ids.length}`)
      const step = Math.max(1, Math.floor(ids.length / SAMPLE))
      const sample = ids.filter((_, position) => position % step === 0)
      for (let from = 0; from < sample.length; from += COMPARED_AT_ONCE) {
        const some = sample.slice(from, from + COMPARED_AT_ONCE)
        const originals = await this.asking('reading records again', () => server.get(remote, some))
        const copies = new Map((await reader.byIds(some)).map((copy) => [copy.id, copy]))
        for (const original of originals) {
          const copy = copies.get(original.id)
          const difference = copy ? differenceOf(original, copy) : 'record'
          if (difference !== undefined) throw this.changed(original.id, difference)
        }

        options.onStep?.('verify', from + some.length, sample.length)
      }

      const now = await this.asking('counting records', () => server.count(remote))
      if (now !== ids.length) throw this.changed(`${now} instead of ${ids.length} records`, 'count')
      return sample.length
    } finally {
      reader.close()
    }
  }

  private changed(id: string, what: string): Error {
    const {database, name, tenant} = this.plan.target
    return damaged(
      `The collection changed on the server while it was pulled: ${JSON.stringify(id)} (${what}).`,
      {
        next: `The copy ${tenant}/${database}/${name} is whole but older; pull again under another name with --as.`,
      },
    )
  }

  private readonly onStage = (stage: Stage, done: number, total: number): void => {
    if (stage === 'build') this.options.onStep?.('build', done, total)
  }

  private asking<T>(doing: string, request: () => Promise<T>): Promise<T> {
    const {patience, signal} = this.options
    const onRetry = (): void => {
      this.retries += 1
    }

    return speaking(this.endpoint, doing, () => retrying(request, {onRetry, patience, signal}))
  }
}

async function* chunks<T>(items: T[], size: number): AsyncGenerator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
