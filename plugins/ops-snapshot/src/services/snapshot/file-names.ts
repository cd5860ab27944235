import type {Collection} from '@chops/core/catalog'

type Place = Pick<Collection, 'database' | 'id' | 'name' | 'tenant'>

/** File systems allow names of 255 bytes, and a temporary name is longer by 41. */
const LONGEST_NAME = 200

/**
 * The file names of snapshots by collection id: `tenant.database.name.sqlite3`, no two of them the same even where case
 * does not count. They depend on nothing but the collections, so that the next run writes over the same files.
 */
export function fileNamesOf(collections: readonly Place[]): Map<string, string> {
  const uses = new Map<string, number>()
  for (const collection of collections) {
    const key = readableName(collection).toLowerCase()
    uses.set(key, (uses.get(key) ?? 0) + 1)
  }

  return new Map(
    collections.map((collection) => {
      const readable = readableName(collection)
      const isAlone = uses.get(readable.toLowerCase()) === 1
      // No encoded name holds an @, so none looks like another one with its id.
      const name = isAlone ? readable : `${readable}@${encode(collection.id)}`
      return [collection.id, `${name.length > LONGEST_NAME ? encode(collection.id) : name}.sqlite3`]
    }),
  )
}

/** Without dots in the tenant and the database the first two dots are the ones between the parts. */
function readableName({database, name, tenant}: Place): string {
  return `${encode(tenant)}.${encode(database)}.${encodeURIComponent(name)}`
}

/** Names may hold anything, a path separator too, and in a database of somebody else so may ids. */
function encode(part: string): string {
  return encodeURIComponent(part).replaceAll('.', '%2E')
}
