import {readdir} from 'node:fs/promises'
import {join} from 'node:path'

import {INDEX_FILES, isUuid, UNFINISHED_FILES} from './segment-folders.js'
import {type Size, sizeOf} from './sizes.js'

/** How a command names the folder of an index that it replaced. */
const BACKUP = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}_backup_\d{14}$/i

/** What a folder is called while it is being removed: no name of an index, and out of sight. */
const TRASH = '.chops-trash-'

/**
 * `orphan` a folder named like a segment, that no segment of the database owns; `backup` the folder of an index that
 * chops replaced; `trash` what is left of one of these two whose removal was killed.
 */
export type LeftoverKind = 'backup' | 'orphan' | 'trash'

/** A folder of an index that Chroma does not use. */
export interface Leftover {
  /** What is in it besides index files. */
  foreign: string[]
  kind: LeftoverKind
  name: string
  path: string
  size: Size
}

/** An orphan as `db info` shows it. */
export interface OrphanFolder {
  /** The folder's name: the id of the segment it belonged to, or what a killed clean made of it. */
  id: string
  path: string
  size: Size
}

/** Where a folder goes before it is removed. */
export function trashName(name: string): string {
  return `${TRASH}${name}`
}

/**
 * Folders of indexes that Chroma does not use, sorted by name: real folders (no symbolic links), empty or with index
 * files inside, whose name is that of a segment, of a backup by chops, or of its trash.
 *
 * Chroma before 1.0 removed an orphan only when the collection was loaded, later versions never do.
 *
 * @param ownedIds of all segments of the database
 */
export async function findLeftovers(persistDir: string, ownedIds: Iterable<string>): Promise<Leftover[]> {
  const owned = new Set([...ownedIds].map((id) => id.toLowerCase()))
  const entries = await readdir(persistDir, {withFileTypes: true})
  const found = entries
    .filter((entry) => entry.isDirectory())
    .map(({name}) => ({kind: kindOf(name, owned), name}))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const leftovers = await Promise.all(found.map(({kind, name}) => kind && inspect(persistDir, name, kind)))
  return leftovers.filter((leftover) => leftover !== undefined)
}

/** The folders of which `db clean` can free the directory, backups left alone. */
export async function findOrphanFolders(
  persistDir: string,
  ownedIds: Iterable<string>,
): Promise<OrphanFolder[]> {
  const leftovers = await findLeftovers(persistDir, ownedIds)
  return leftovers.filter(({kind}) => kind !== 'backup').map(({name, path, size}) => ({id: name, path, size}))
}

/** Whether a name is that of a folder which is being removed. */
export function isTrash(name: string): boolean {
  const before = name.startsWith(TRASH) ? name.slice(TRASH.length) : ''
  return isUuid(before) || BACKUP.test(before)
}

function kindOf(name: string, owned: ReadonlySet<string>): LeftoverKind | undefined {
  if (isTrash(name)) return 'trash'
  if (BACKUP.test(name)) return 'backup'
  return isUuid(name) && !owned.has(name.toLowerCase()) ? 'orphan' : undefined
}

async function inspect(persistDir: string, name: string, kind: LeftoverKind): Promise<Leftover | undefined> {
  const path = join(persistDir, name)
  const files: string[] = await readdir(path)
  const known: readonly string[] = [...INDEX_FILES, ...UNFINISHED_FILES]
  const foreign = files.filter((file) => !known.includes(file)).sort()
  if (kind !== 'trash' && files.length > 0 && foreign.length === files.length) return undefined
  return {foreign, kind, name, path, size: await sizeOf(path)}
}
