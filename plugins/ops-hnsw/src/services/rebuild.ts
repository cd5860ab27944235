import {type Collection, findCollection, type HnswParameters, hnswParametersOf} from '@chops/core/catalog'
import {ChopsError} from '@chops/core/errors'
import type {PersistDir} from '@chops/core/persist-dir'
import {
  type Method,
  type MethodOptions,
  planMethod,
  rebuildIndex,
  recallWarning,
  requireRebuildable,
  type StageOptions,
} from '@chops/core/reindex'

import {describeIndex, type HnswInfo} from './hnsw-info.js'
import {changedParameters, changesOf, type ParameterChange} from './parameter-changes.js'

/** What a rebuild of one collection is going to do. */
export interface RebuildPlan {
  /** The index as it is; absent when it is damaged. */
  before: HnswInfo | null
  changes: ParameterChange[]
  collection: string
  collectionId: string
  /** What is wrong with the index, when it is damaged. */
  damage: null | string
  database: string
  /** What it takes at most; absent when there is no vector. */
  memoryBytes: null | number
  /** How the new index is going to be made, in a result how it was; absent when there is no vector. */
  method: Method | null
  /** Why that way: half a sentence. */
  reason: null | string
  tenant: string
}

export interface RebuildResult extends RebuildPlan {
  after: HnswInfo | null
  /** Log rows that the new index has applied and the old one had not. */
  appliedRows: number
  /** Where the old index lies. */
  backup: null | string
  elements: number
  /** The library that built the graph. */
  engine: null | string
  /** Recall of the ten nearest at ef 100 against an exact search, on a sample of the index's own vectors. */
  recall: null | number
  sampleSize: number
  status: 'nothing to rebuild' | 'parameters changed' | 'rebuilt'
  /** What the user should know about the new index, which is in force. */
  warnings: string[]
}

/**
 * Plans the rebuild of one collection. A damaged graph is no obstacle: the new one is made from the vectors. Whether
 * those can be read is found out here for a damaged index, and for every one with `thorough`.
 *
 * @throws ChopsError `damaged` when they cannot, `usage` when the method asked for is impossible
 */
export async function planRebuild(
  dir: PersistDir,
  collection: Collection,
  wanted: Partial<HnswParameters>,
  {
    signal,
    thorough = false,
    ...how
  }: MethodOptions & Pick<StageOptions, 'maxMemory' | 'signal'> & {thorough?: boolean} = {},
): Promise<RebuildPlan> {
  const {before, damage} = await describeOrExplain(dir, collection, signal)
  const changes = changesOf(hnswParametersOf(dir, collection), wanted)
  const choice = await planMethod(dir, collection, {...how, changes: changedParameters(changes), signal})
  if (thorough || damage !== null)
    await requireRebuildable(dir, collection, changedParameters(changes), {signal})
  return {
    before,
    changes,
    collection: collection.name,
    collectionId: collection.id,
    damage,
    database: collection.database,
    memoryBytes: choice?.memoryBytes ?? null,
    method: choice?.method ?? null,
    reason: choice?.reason ?? null,
    tenant: collection.tenant,
  }
}

/** Carries a plan out and describes the new index, or the parameters that a collection without vectors has now. */
export async function rebuild(
  dir: PersistDir,
  plan: RebuildPlan,
  options: MethodOptions & StageOptions & {backup: boolean},
): Promise<RebuildResult> {
  const owner = {id: plan.collectionId}
  const rebuilt = await rebuildIndex(dir, owner, {...options, changes: changedParameters(plan.changes)})
  if (!rebuilt && plan.changes.length === 0) return {...plan, ...NOTHING}
  const {after, unreadable} = await describeAfter(dir, owner)
  if (!rebuilt) {
    const warnings = unreadable === undefined ? [] : [unreadable]
    return {...plan, ...NOTHING, after, status: 'parameters changed', warnings}
  }

  const {backup, result, warning} = rebuilt
  return {
    ...plan,
    after,
    appliedRows: result.appliedRows,
    backup: backup ?? null,
    elements: result.elements,
    engine: result.engine ?? null,
    method: result.method,
    reason: result.reason,
    recall: result.verified.recall,
    sampleSize: result.verified.sampleSize,
    status: 'rebuilt',
    warnings: [warning, recallWarning(result.verified), unreadable].filter(
      (text) => typeof text === 'string',
    ),
  }
}

const NOTHING = {
  after: null,
  appliedRows: 0,
  backup: null,
  elements: 0,
  engine: null,
  recall: null,
  sampleSize: 0,
  status: 'nothing to rebuild',
  warnings: [] as string[],
} as const

/** The change is in force by now, so that whatever goes wrong is worth a warning and no more. */
async function describeAfter(
  dir: PersistDir,
  owner: Pick<Collection, 'id'>,
): Promise<{after: HnswInfo | null; unreadable: string | undefined}> {
  try {
    return {after: await describeIndex(dir, await findCollection(dir, owner)), unreadable: undefined}
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const unreadable = `The change is in force, but the details of the index could not be read: ${reason}`
    return {after: null, unreadable}
  }
}

async function describeOrExplain(
  dir: PersistDir,
  collection: Collection,
  signal?: AbortSignal,
): Promise<Pick<RebuildPlan, 'before' | 'damage'>> {
  try {
    return {before: await describeIndex(dir, collection, {...(signal && {signal})}), damage: null}
  } catch (error) {
    if (error instanceof ChopsError && error.kind === 'damaged') return {before: null, damage: error.message}
    throw error
  }
}
