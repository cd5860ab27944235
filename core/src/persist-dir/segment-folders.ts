import {readdir} from 'node:fs/promises'
import {join} from 'node:path'

import {damaged} from '../errors.js'
import {type Size, sizeOf} from './sizes.js'

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** Whether an id has the form that every Chroma gives its segments and collections. */
export function isUuid(id: string): boolean {
  return UUID.test(id)
}

/** The five files of a segment folder; any of them marks a folder as Chroma's. */
export const INDEX_FILES = [
  'header.bin',
  'data_level0.bin',
  'length.bin',
  'link_lists.bin',
  'index_metadata.pickle',
] as const

/** What a build that was killed leaves behind in its folder, besides index files. */
const UNFINISHED_FILES = ['graph.tmp', 'index.tmp']

/** A folder named like a segment that no segment of the database owns. */
export interface OrphanFolder {
  /** The folder's name: the id of the segment it belonged to. */
  id: string
  path: string
  size: Size
}

/**
 * The folder of a vector segment. Ids come from the database, which may come from someone else: only a UUID may become a path.
 *
 * @throws ChopsError `damaged` for any other id
 */
export function segmentFolder(persistDir: string, segmentId: string): string {
  if (!UUID.test(segmentId)) {
    throw damaged(
      `The database names a segment ${JSON.stringify(segmentId)}, which is not a UUID and cannot be a folder.`,
      {
        file: persistDir,
        next: 'Restore chroma.sqlite3 from a backup; Chroma itself only writes UUIDs.',
      },
    )
  }

  return join(persistDir, segmentId)
}

/**
 * Folders that look like a segment (a UUID, empty or with index files inside) and that no segment owns, sorted by name.
 * Chroma before 1.0 removed them only when the collection was loaded, later versions never do.
 */
export async function findOrphanFolders(
  persistDir: string,
  ownedIds: Iterable<string>,
): Promise<OrphanFolder[]> {
  const owned = new Set([...ownedIds].map((id) => id.toLowerCase()))
  const entries = await readdir(persistDir, {withFileTypes: true})
  const names = entries
    .filter((entry) => entry.isDirectory() && UUID.test(entry.name) && !owned.has(entry.name.toLowerCase()))
    .map((entry) => entry.name)
    .sort()
  const orphans = await Promise.all(
    names.map(async (id) => {
      const path = join(persistDir, id)
      const files: string[] = await readdir(path)
      const isSegment =
        files.length === 0 || [...INDEX_FILES, ...UNFINISHED_FILES].some((file) => files.includes(file))
      return isSegment ? {id, path, size: await sizeOf(path)} : undefined
    }),
  )
  return orphans.filter((orphan) => orphan !== undefined)
}
