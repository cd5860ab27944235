import {readCatalog} from '@chops/core/catalog'
import {readAppliedSeqIds} from '@chops/core/hnsw'
import {readTopics} from '@chops/core/log'
import type {PersistDir} from '@chops/core/persist-dir'
import {commitLog, recallWarning, type StageOptions} from '@chops/core/reindex'

/** A collection in the plan of a commit. */
export interface CommitPlan {
  collection: string
  collectionId: string
  database: string
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
export async function planCommit(dir: PersistDir, skip: readonly string[]): Promise<CommitPlan[]> {
  const catalog = await readCatalog(dir)
  const wanted = catalog.collections.filter(({name}) => !skip.includes(name))
  const topics = await readTopics(dir, catalog, await readAppliedSeqIds(dir, wanted))
  return catalog.collections.map((collection) => {
    const topic = topics.find((candidate) => candidate.collection?.id === collection.id)
    return {
      collection: collection.name,
      collectionId: collection.id,
      database: collection.database,
      pending: topic?.pendingInVector ?? 0,
      skipped: skip.includes(collection.name),
      tenant: collection.tenant,
      walEntries: topic?.count ?? 0,
    }
  })
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
