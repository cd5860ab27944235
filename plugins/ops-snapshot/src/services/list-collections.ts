import {hnswParametersOf, readCatalog, type Space} from '@chops/core/catalog'
import {readTopics} from '@chops/core/log'
import {generationText, type PersistDir} from '@chops/core/persist-dir'
import {countRecords} from '@chops/core/record-counts'

export interface ListedCollection {
  database: string
  /** Null until the first write fixes it. */
  dimension: null | number
  id: string
  name: string
  /** As Chroma's `count()` answers. */
  records: number
  space: Space
  tenant: string
}

export interface CollectionList {
  chromaVersion: string
  collections: ListedCollection[]
  persistDirectory: string
}

/** Which collections to list; without a tenant or a database those of all. */
export interface PlaceFilter {
  database?: string | undefined
  tenant?: string | undefined
}

/**
 * Lists collections by tenant, database and name. No index file is read.
 *
 * @throws ChopsError `damaged` when the configuration of a listed collection is not JSON
 */
export async function listCollections(dir: PersistDir, place: PlaceFilter): Promise<CollectionList> {
  const catalog = await readCatalog(dir)
  // How far an index is does not matter for counting records.
  const topics = await readTopics(dir, catalog, new Map())
  const records = await countRecords(dir, catalog, topics)
  const listed = catalog.collections.filter(
    ({database, tenant}) =>
      (place.database === undefined || database === place.database) &&
      (place.tenant === undefined || tenant === place.tenant),
  )
  return {
    chromaVersion: generationText(dir.generation),
    collections: listed.map((collection) => ({
      database: collection.database,
      dimension: collection.dimension,
      id: collection.id,
      name: collection.name,
      records: records.get(collection.id) ?? 0,
      space: hnswParametersOf(dir, collection).space,
      tenant: collection.tenant,
    })),
    persistDirectory: dir.path,
  }
}
