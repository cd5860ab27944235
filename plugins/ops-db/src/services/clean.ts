import {readCatalog} from '@chops/core/catalog'
import {emptyTrash, moveToTrash, withWriteAccess} from '@chops/core/change'
import {ChopsError, inUse} from '@chops/core/errors'
import {INDEX_METADATA_FILE, readHeader, readIndexMetadata} from '@chops/core/hnsw'
import {
  findLeftovers,
  generationText,
  type Leftover,
  type LeftoverKind,
  type PersistDir,
} from '@chops/core/persist-dir'
import {transaction} from '@chops/core/sqlite'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'

import {findLostVectors, type LostVectors} from './lost-vectors.js'

/** Why a folder stays: backups are not asked for, it holds something that is not Chroma's, or perhaps the last copy of vectors. */
export type KeepReason = 'backup' | 'foreign-files' | 'last-vectors'

export interface CleanFolder {
  /** Bytes that the disk gives for it. */
  allocatedBytes: number
  bytes: number
  /** One sentence for a folder that stays. */
  detail: null | string
  keepReason: KeepReason | null
  kind: LeftoverKind
  name: string
  path: string
  removed: boolean
}

export interface Clean {
  backups: boolean
  chromaVersion: string
  folders: CleanFolder[]
  /** Bytes of what was removed; what would be in a dry run. */
  freedAllocatedBytes: number
  freedBytes: number
  persistDirectory: string
  status: 'cancelled' | 'done' | 'dry-run' | 'nothing-to-do'
}

export interface PlanOptions {
  /** Also backups that chops made of indexes. */
  backups: boolean
  signal?: AbortSignal
}

/**
 * Finds the folders that can go: those of indexes that no segment owns, with `backups` also those that chops kept of
 * replaced indexes, and what a killed clean left. A folder stays when it holds anything but index files, or when a
 * record of a collection has lost its vector, which this folder may have.
 */
export async function planClean(dir: PersistDir, {backups, signal}: PlanOptions): Promise<Clean> {
  const {segments} = await readCatalog(dir)
  const leftovers = await findLeftovers(
    dir.path,
    segments.map(({id}) => id),
  )
  const sources = new VectorSources(dir, signal)
  const folders: CleanFolder[] = []
  for (const leftover of leftovers) folders.push(await judge(leftover, backups, sources))
  const gone = folders.filter(({keepReason}) => keepReason === null)
  return {
    backups,
    chromaVersion: generationText(dir.generation),
    folders,
    freedAllocatedBytes: sum(gone.map(({allocatedBytes}) => allocatedBytes)),
    freedBytes: sum(gone.map(({bytes}) => bytes)),
    persistDirectory: dir.path,
    status: gone.length === 0 ? 'nothing-to-do' : 'dry-run',
  }
}

/**
 * Removes the folders of the plan. All of them leave the directory's sight under SQLite's write lock, each in one step;
 * then they are deleted. Killed in between, the next clean finds what is left.
 *
 * @throws ChopsError `in-use` when another process has the directory open, or it changed since it was planned
 */
export async function clean(
  plan: Clean,
  options: {force?: boolean; signal?: AbortSignal} = {},
): Promise<Clean> {
  const {force, signal} = options
  return withWriteAccess(plan.persistDirectory, {force}, async (dir) => {
    const trash = await transaction(dir.db, 'IMMEDIATE', async () => {
      const now = await planClean(dir, {backups: plan.backups, ...(signal && {signal})})
      if (namesOf(toRemove(now)) !== namesOf(toRemove(plan))) throw changedMeanwhile(plan)
      signal?.throwIfAborted()
      const folders = toRemove(now).filter(({kind}) => kind !== 'trash')
      const moved = await moveToTrash(
        dir.path,
        folders.map(({name}) => name),
      )
      return [...toRemove(now).flatMap(({kind, name}) => (kind === 'trash' ? [name] : [])), ...moved]
    })
    await emptyTrash(dir.path, trash)
    return {
      ...plan,
      folders: plan.folders.map((folder) => ({...folder, removed: folder.keepReason === null})),
      status: 'done',
    }
  })
}

function toRemove({folders}: Clean): CleanFolder[] {
  return folders.filter(({keepReason}) => keepReason === null)
}

function namesOf(folders: readonly CleanFolder[]): string {
  return folders.map(({name}) => name).join('/')
}

async function judge(leftover: Leftover, backups: boolean, sources: VectorSources): Promise<CleanFolder> {
  const {foreign, kind, name, path, size} = leftover
  const keep = (keepReason: KeepReason | null, detail: null | string): CleanFolder => ({
    allocatedBytes: size.allocated,
    bytes: size.apparent,
    detail,
    keepReason,
    kind,
    name,
    path,
    removed: false,
  })
  if (kind === 'trash') return keep(null, null)
  if (kind === 'backup' && !backups) return keep('backup', 'a backup that chops made: --backups removes it')
  if (foreign.length > 0) return keep('foreign-files', `it also holds ${foreign.join(', ')}`)
  const needed = await sources.neededFrom(path)
  return needed === undefined ? keep(null, null) : keep('last-vectors', needed)
}

/** Knows which vectors are missing somewhere, and says whether a folder may have them. */
class VectorSources {
  private lost: Promise<LostVectors[]> | undefined

  constructor(
    private readonly dir: PersistDir,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** The end of a sentence about the folder; undefined when nobody needs it. */
  async neededFrom(folder: string): Promise<string | undefined> {
    const ids = await idsIn(folder)
    if (ids !== 'unknown' && ids.size === 0) return undefined
    this.lost ??= findLostVectors(this.dir, this.signal)
    for (const {collection, ids: lostIds} of await this.lost) {
      const count = ids === 'unknown' ? lostIds.length : lostIds.filter((id) => ids.has(id)).length
      if (count > 0) {
        const records = count === 1 ? '1 record' : `${count} records`
        return `${records} of ${collection} lost the vector, and it may be the last to have it`
      }
    }

    return undefined
  }
}

/** The ids whose vectors a folder of index files has; `unknown` when that cannot be read. */
async function idsIn(folder: string): Promise<'unknown' | ReadonlySet<string>> {
  const files = await readdir(folder)
  if (files.length === 0) return new Set()
  try {
    if (files.includes(INDEX_METADATA_FILE)) {
      const {idToLabel} = await readIndexMetadata(join(folder, INDEX_METADATA_FILE), {ids: true})
      return new Set(idToLabel.keys())
    }

    // What was never persisted holds nothing: its vectors were in the log alone.
    const {curElementCount} = await readHeader(folder)
    return curElementCount === 0 ? new Set() : 'unknown'
  } catch (error) {
    if (!(error instanceof ChopsError)) throw error
    return 'unknown'
  }
}

function changedMeanwhile({persistDirectory}: Clean): ChopsError {
  return inUse(`${persistDirectory} was changed after it was looked at; nothing was deleted.`, {
    file: persistDirectory,
    next: 'Stop Chroma and run the command again.',
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
