import {type Catalog, type Collection, fullName} from '@chops/core/catalog'
import {usage} from '@chops/core/errors'

import type {SnapshotCollection} from '../format/contents.js'

/** Where a collection goes, and what may happen to one that is there. */
export interface RestoreWish {
  /** Another name than that of the snapshot. */
  as?: string | undefined
  database?: string | undefined
  replace: boolean
  tenant?: string | undefined
}

export interface RestoreTarget {
  database: string
  name: string
  tenant: string
}

/** The place that is wished for; what is not said is as in the snapshot. */
export function targetOf(collection: SnapshotCollection, {as, database, tenant}: RestoreWish): RestoreTarget {
  return {
    database: database ?? collection.database,
    name: as ?? collection.name,
    tenant: tenant ?? collection.tenant,
  }
}

/**
 * The collection that stands in the target's place.
 *
 * @throws ChopsError `usage` when there is one and it is not to be replaced
 */
export function findReplaced(
  {collections}: Catalog,
  target: RestoreTarget,
  {replace}: RestoreWish,
): Collection | undefined {
  const found = collections.find(
    ({database, name, tenant}) =>
      database === target.database && name === target.name && tenant === target.tenant,
  )
  if (!found || replace) return found
  throw usage(`There is already a collection ${fullName(found)} (id ${found.id}).`, {
    next: 'Give another name with --as, another place with --database and --tenant, or --replace to put the snapshot in its place.',
  })
}
