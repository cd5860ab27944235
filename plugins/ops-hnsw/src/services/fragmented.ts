import type {Catalog, Collection} from '@chops/core/catalog'
import type {PersistDir} from '@chops/core/persist-dir'

import {ChopsError} from '@chops/core/errors'
import {fragmentationOf, readSegmentIndex} from '@chops/core/hnsw'

export interface FragmentedChoice {
  database?: string | undefined
  /** Share of deleted elements, 0 to 1. */
  fragmentation: number
  tenant?: string | undefined
}

/**
 * Collections whose share of deleted elements is above a threshold or whose index is damaged, over all tenants and databases unless one is named.
 */
export async function selectFragmented(
  dir: PersistDir,
  catalog: Catalog,
  {database, fragmentation, tenant}: FragmentedChoice,
  options: {signal?: AbortSignal} = {},
): Promise<Collection[]> {
  const chosen: Collection[] = []
  for (const collection of catalog.collections) {
    if (database !== undefined && collection.database !== database) continue
    if (tenant !== undefined && collection.tenant !== tenant) continue
    if (await needsRebuild(dir, collection, fragmentation, options)) chosen.push(collection)
  }

  return chosen
}

async function needsRebuild(
  dir: PersistDir,
  collection: Collection,
  threshold: number,
  options: {signal?: AbortSignal},
): Promise<boolean> {
  try {
    const index = await readSegmentIndex(dir, collection, options)
    return index !== undefined && fragmentationOf(index) / 100 > threshold
  } catch (error) {
    if (error instanceof ChopsError && error.kind === 'damaged') return true
    throw error
  }
}
