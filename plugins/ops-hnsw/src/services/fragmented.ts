import type {Catalog, Collection} from '@chops/core/catalog'
import type {PersistDir} from '@chops/core/persist-dir'

import {usage} from '@chops/core/errors'
import {fragmentationOf, readSegmentIndex} from '@chops/core/hnsw'

export interface FragmentedChoice {
  database?: string | undefined
  /** Share of deleted elements, 0 to 1. */
  fragmentation: string
  tenant?: string | undefined
}

/**
 * Collections whose share of deleted elements is above a threshold, over all tenants and databases unless one is named.
 *
 * @throws ChopsError `usage` for a threshold that is not a number from 0 to 1, `damaged` for an index that cannot be read
 */
export async function selectFragmented(
  dir: PersistDir,
  catalog: Catalog,
  {database, fragmentation, tenant}: FragmentedChoice,
  options: {signal?: AbortSignal} = {},
): Promise<Collection[]> {
  const threshold = Number(fragmentation)
  if (fragmentation.trim() === '' || !(threshold >= 0 && threshold <= 1)) {
    throw usage(`--fragmentation is a share from 0 to 1, not ${JSON.stringify(fragmentation)}.`)
  }

  const chosen: Collection[] = []
  for (const collection of catalog.collections) {
    if (database !== undefined && collection.database !== database) continue
    if (tenant !== undefined && collection.tenant !== tenant) continue
    const index = await readSegmentIndex(dir, collection, options)
    if (index && fragmentationOf(index) / 100 > threshold) chosen.push(collection)
  }

  return chosen
}
