import {createChromaDatabase, fsyncPath} from '@chops/core/change'
import {usage} from '@chops/core/errors'
import {writePurgeMode} from '@chops/core/log'
import {openPersistDir} from '@chops/core/persist-dir'
import {transaction} from '@chops/core/sqlite'
import {randomUUID} from 'node:crypto'
import {mkdir, readdir, rename, rm, stat} from 'node:fs/promises'
import {dirname, resolve} from 'node:path'

import type {Snapshot} from '../format/open.js'
import {type RestoredCollection, restoreInto, type RestoreOptions} from './restore-into.js'
import type {RestoreWish} from './target.js'

/** The setting came with this migration of the log. */
const PURGE_SETTING = 2

/** Whether a directory can be made here: nothing is there, or an empty folder. */
export async function isNewDirectory(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false
    throw error
  }
}

/**
 * Makes a whole new persist directory of the snapshot's generation with the restored collection in it: beside its place
 * under a temporary name, and renamed when it is complete.
 *
 * @throws ChopsError `usage` when its parent folder does not exist, and as `restoreInto`
 */
export async function restoreIntoNewDirectory(
  path: string,
  snapshot: Snapshot,
  wish: RestoreWish,
  options: RestoreOptions = {},
): Promise<RestoredCollection> {
  const place = resolve(path)
  await requireParent(place)
  const temporary = `${place}.${randomUUID()}.tmp`
  try {
    await mkdir(temporary)
    const restored = await fill(temporary, snapshot, wish, options)
    await fsyncPath(temporary)
    await rename(temporary, place)
    await fsyncPath(dirname(place))
    return restored
  } catch (error) {
    await rm(temporary, {force: true, recursive: true})
    throw error
  }
}

async function fill(
  folder: string,
  snapshot: Snapshot,
  wish: RestoreWish,
  options: RestoreOptions,
): Promise<RestoredCollection> {
  const {schema} = snapshot.generation
  await createChromaDatabase(folder, schema)
  const dir = await openPersistDir(folder, 'write')
  try {
    // As in every new directory of Chroma; without it an engine that finds a log would switch its purging off.
    if (schema.embeddingsQueue >= PURGE_SETTING)
      await transaction(dir.db, 'IMMEDIATE', () => writePurgeMode(dir, 'auto'))
    return await restoreInto(dir, snapshot, wish, options)
  } finally {
    await dir.close()
  }
}

async function requireParent(place: string): Promise<void> {
  const parent = dirname(place)
  const found = await stat(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return
    throw error
  })
  if (found?.isDirectory()) return
  throw usage(`The folder ${parent} does not exist.`, {
    file: parent,
    next: 'Make it first: the new directory is made in it.',
  })
}
