import {type Catalog, type Collection, readCatalog, unknownNames} from '@chops/core/catalog'
import {isWorthVacuuming, vacuum, withWriteAccess} from '@chops/core/change'
import {inUse} from '@chops/core/errors'
import {readAppliedSeqIds, readSegmentIndex} from '@chops/core/hnsw'
import {deletePlanned, type KeepReason, planCleaning, type TopicCleaning} from '@chops/core/log-cleaning'
import {generationText, type PersistDir} from '@chops/core/persist-dir'
import {transaction} from '@chops/core/sqlite'
import {stat} from 'node:fs/promises'

import {explainAfter} from './explain-after.js'

/** What is going to be deleted, as it is shown before the question. */
export interface WalCleanPlan {
  chromaVersion: string
  deletable: number
  /** VACUUM would make the file noticeably smaller already, before any row is deleted. */
  hasFreePages: boolean
  persistDirectory: string
  /** Bytes of chroma.sqlite3. */
  size: number
  skip: readonly string[]
  topics: TopicCleaning[]
  /** Names to skip that no collection has. */
  unknownSkips: string[]
}

export interface CleanedTopic {
  collection: null | string
  collectionId: null | string
  count: number
  database: null | string
  deletable: number
  deleted: number
  keepReasons: KeepReason[]
  kept: number
  orphan: boolean
  tenant: null | string
  topic: string
}

export interface WalClean {
  chromaVersion: string
  deletable: number
  deleted: number
  persistDirectory: string
  /** Bytes of chroma.sqlite3. */
  sizeAfter: number
  sizeBefore: number
  status: 'cancelled' | 'done' | 'dry-run' | 'nothing-to-do'
  topics: CleanedTopic[]
  vacuumed: boolean
}

export type CleanStep = 'rows' | 'vacuum'

export interface PlanOptions {
  /** Counts collections. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
  /** Names of collections to leave alone, in every database. */
  skip?: readonly string[]
}

export interface CleanOptions {
  force?: boolean
  onStep?: (step: CleanStep, done: number, total: number) => void
  signal?: AbortSignal
}

/**
 * Finds the log rows that nothing needs any more, over all tenants and databases, and makes sure that the indexes which
 * are said to have applied them are there and sound: where one is not, the log may hold the last copy of a vector.
 *
 * @throws ChopsError `damaged` for an index that lost its files or is damaged, although rows of its log could go
 */
export async function planWalClean(dir: PersistDir, options: PlanOptions = {}): Promise<WalCleanPlan> {
  const {onProgress, signal, skip = []} = options
  const catalog = await readCatalog(dir)
  const topics = await readPlan(dir, catalog, skip)
  const cleaned = topics.flatMap(({deletable, topic}) =>
    deletable > 0 && topic.collection ? [topic.collection] : [],
  )
  for (const [done, collection] of cleaned.entries()) {
    onProgress?.(done, cleaned.length)
    await readSegmentIndex(dir, collection, {signal})
  }

  return {
    chromaVersion: generationText(dir.generation),
    deletable: deletableIn(topics),
    hasFreePages: await isWorthVacuuming(dir),
    persistDirectory: dir.path,
    size: await sizeOfDatabase(dir),
    skip,
    topics,
    unknownSkips: unknownNames(catalog, skip),
  }
}

/**
 * Deletes the planned rows in one transaction, under SQLite's write lock, and then gives the pages back to the file
 * system if there are enough of them.
 *
 * @throws ChopsError `in-use` when another process has the directory open, or changed the log since it was planned
 */
export async function cleanWal(plan: WalCleanPlan, options: CleanOptions = {}): Promise<WalClean> {
  const {force, onStep, signal} = options
  return withWriteAccess(plan.persistDirectory, {force}, async (dir) => {
    onStep?.('rows', 0, 1)
    await transaction(dir.db, 'IMMEDIATE', async () => {
      const now = await readPlan(dir, await readCatalog(dir), plan.skip)
      if (!isSame(now, plan.topics)) {
        throw inUse(
          `The log in ${dir.databaseFile} was changed after it was looked at; nothing was deleted.`,
          {
            file: dir.databaseFile,
            next: 'Stop Chroma and run the command again.',
          },
        )
      }

      await deletePlanned(dir, now)
      signal?.throwIfAborted()
    })
    const done = plan.deletable === 1 ? '1 log row was deleted' : `${plan.deletable} log rows were deleted`
    return explainAfter(done, dir, signal, async () => {
      const vacuumed = await isWorthVacuuming(dir)
      if (vacuumed) {
        onStep?.('vacuum', 0, 1)
        await vacuum(dir, signal)
      }

      const result = resultOf(plan, 'done')
      return {...result, deleted: plan.deletable, sizeAfter: await sizeOfDatabase(dir), vacuumed}
    })
  })
}

/** The plan as a result: of a clean that was not made, unless `status` is `done`. */
export function resultOf(plan: WalCleanPlan, status: WalClean['status']): WalClean {
  return {
    chromaVersion: plan.chromaVersion,
    deletable: plan.deletable,
    deleted: 0,
    persistDirectory: plan.persistDirectory,
    sizeAfter: plan.size,
    sizeBefore: plan.size,
    status,
    topics: plan.topics.map(({deletable, keepReasons, orphan, topic: {collection, count, topic}}) => ({
      collection: collection?.name ?? null,
      collectionId: collection?.id ?? null,
      count,
      database: collection?.database ?? null,
      deletable,
      deleted: status === 'done' ? deletable : 0,
      keepReasons,
      kept: count - deletable,
      orphan,
      tenant: collection?.tenant ?? null,
      topic,
    })),
    vacuumed: false,
  }
}

/** Of a skipped collection not even the index metadata is read: it may be skipped because that is damaged. */
async function readPlan(
  dir: PersistDir,
  catalog: Catalog,
  skip: readonly string[],
): Promise<TopicCleaning[]> {
  const included: Collection[] = catalog.collections.filter(({name}) => !skip.includes(name))
  return planCleaning(dir, catalog, await readAppliedSeqIds(dir, included), skip)
}

function deletableIn(topics: readonly TopicCleaning[]): number {
  return topics.reduce((sum, {deletable}) => sum + deletable, 0)
}

function isSame(now: readonly TopicCleaning[], planned: readonly TopicCleaning[]): boolean {
  const key = (topics: readonly TopicCleaning[]): string =>
    JSON.stringify(
      topics.map(({deletable, topic, upTo}) => [topic.topic, deletable > 0 ? upTo : 0, deletable]),
    )
  return key(now) === key(planned)
}

async function sizeOfDatabase({databaseFile}: PersistDir): Promise<number> {
  return (await stat(databaseFile)).size
}
