import {
  type Collection,
  findCollection,
  type HnswParameters,
  hnswParametersOf,
  vectorSegmentOf,
} from '@chops/core/catalog'
import {writeHnswParameters} from '@chops/core/change'
import type {PersistDir} from '@chops/core/persist-dir'
import {transaction} from '@chops/core/sqlite'

import {changedParameters, changesOf, type ParameterChange} from './parameter-changes.js'

/** Which runtime parameters of one collection are going to change. */
export interface ConfigPlan {
  changes: ParameterChange[]
  collection: string
  collectionId: string
  database: string
  tenant: string
}

/** Compares wanted parameters with today's; equal ones are left out. */
export function planConfig(
  dir: PersistDir,
  collection: Collection,
  wanted: Partial<HnswParameters>,
): ConfigPlan {
  return {
    changes: changesOf(hnswParametersOf(dir, collection), wanted),
    collection: collection.name,
    collectionId: collection.id,
    database: collection.database,
    tenant: collection.tenant,
  }
}

/** Writes the planned parameters where this generation's engine reads them, in one transaction. */
export async function configure(dir: PersistDir, plan: ConfigPlan): Promise<void> {
  await transaction(dir.db, 'IMMEDIATE', async () => {
    const collection = await findCollection(dir, {id: plan.collectionId})
    const {id: segmentId} = vectorSegmentOf(dir, collection)
    await writeHnswParameters(dir, collection, segmentId, changedParameters(plan.changes))
  })
}
