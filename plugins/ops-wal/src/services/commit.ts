import {type Collection, collectionText, findCollection, readCatalog, unknownNames} from '@chops/core/catalog'
import {ChopsError} from '@chops/core/errors'
import {readAppliedSeqId} from '@chops/core/hnsw'
import {readTopics} from '@chops/core/log'
import type {PersistDir} from '@chops/core/persist-dir'
import {
  commitLog,
  estimateMemory,
  recallWarning,
  requireCommittable,
  type StageOptions,
} from '@chops/core/reindex'

/** A collection in the plan of a commit. */
export interface CommitPlan {
  collection: string
  collectionId: string
  database: string
  /** What the commit takes at most; null where nothing is to be done, or the index cannot be read. */
  memoryBytes: null | number
  /** Log rows that its index has not applied. */
  pending: number
  skipped: boolean
  tenant: string
  walEntries: number
}

export interface CommitResult {
  appliedRows: number
  collection: string
  collectionId: string
  database: string
  elements: number
  /** `extend` added to the graph there was, `full` built it anew. */
  method: 'extend' | 'full'
  recall: number
  segmentId: string
  tenant: string
  /** What the user should know about the new index, which is in force. */
  warnings: string[]
}

/** What a commit is going to do, for every collection of every tenant and database. */
export async function planCommit(
  dir: PersistDir,
  skip: readonly string[],
): Promise<{planned: CommitPlan[]; unknownSkips: string[]}> {
  const catalog = await readCatalog(dir)
  const wanted = catalog.collections.filter(({name}) => !skip.includes(name))
  const applied = await readApplied(dir, wanted)
  const topics = await readTopics(dir, catalog, applied)
  const planned: CommitPlan[] = []
  for (const collection of catalog.collections) {
    const topic = topics.find((candidate) => candidate.collection?.id === collection.id)
    const pending = topic?.pendingInVector ?? 0
    const skipped = skip.includes(collection.name)
    planned.push({
      collection: collection.name,
      collectionId: collection.id,
      database: collection.database,
      memoryBytes:
        skipped || pending === 0 ? null : await memoryOf(dir, collection, applied.get(collection.id)),
      pending,
      skipped,
      tenant: collection.tenant,
      walEntries: topic?.count ?? 0,
    })
  }

  return {planned, unknownSkips: unknownNames(catalog, skip)}
}

/** An index that cannot be read counts as one that has applied nothing: its commit is going to say what is wrong. */
async function readApplied(
  dir: PersistDir,
  collections: readonly Collection[],
): Promise<Map<string, number>> {
  const applied = new Map<string, number>()
  for (const collection of collections) {
    try {
      applied.set(collection.id, await readAppliedSeqId(dir, collection))
    } catch (error) {
      if (!(error instanceof ChopsError)) throw error
    }
  }

  return applied
}

/** Null where the index cannot be read: the commit is going to say why. */
async function memoryOf(
  dir: PersistDir,
  collection: Collection,
  applied: number | undefined,
): Promise<null | number> {
  try {
    return (await estimateMemory(dir, collection, {applied})).full
  } catch (error) {
    if (error instanceof ChopsError) return null
    throw error
  }
}

/** Says what would keep a planned commit from being made, as far as that can be told before the vectors are read. */
export async function findObstacle(
  dir: PersistDir,
  plan: CommitPlan,
  options: StageOptions,
): Promise<string | undefined> {
  try {
    await requireCommittable(dir, await findCollection(dir, {id: plan.collectionId}), options)
    return undefined
  } catch (error) {
    if (!(error instanceof ChopsError)) throw error
    return `The commit of ${collectionText(plan)} would fail: ${error.message}`
  }
}

/** Commits the log of one planned collection; undefined when nothing was pending any more. */
export async function commit(
  dir: PersistDir,
  plan: CommitPlan,
  options: StageOptions,
): Promise<CommitResult | undefined> {
  const committed = await commitLog(dir, {id: plan.collectionId}, options)
  if (!committed) return undefined
  const {result, segmentId, warning} = committed
  return {
    appliedRows: result.appliedRows,
    collection: plan.collection,
    collectionId: plan.collectionId,
    database: plan.database,
    elements: result.elements,
    method: result.method,
    recall: result.verified.recall,
    segmentId,
    tenant: plan.tenant,
    warnings: [warning, recallWarning(result.verified)].filter((text) => text !== undefined),
  }
}
