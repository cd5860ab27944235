import type {Collection} from '@chops/core/catalog'

import {inspectOutputFile, realFolder} from '@chops/core/change'
import {exists, type PersistDir} from '@chops/core/persist-dir'
import {mkdir, realpath} from 'node:fs/promises'
import {dirname, join, resolve, sep} from 'node:path'

import type {SnapshotCounts} from '../format/counts.js'
import {fileNamesOf} from './file-names.js'
import {type SnapshotOptions, takeSnapshot} from './take-snapshot.js'

export interface CollectionPlace {
  collection: string
  collectionId: string
  database: string
  tenant: string
}

/** A collection and the file that it goes into. */
export interface SnapshotPlan extends CollectionPlace {
  /** Absolute. */
  file: string
  fileExists: boolean
}

export interface SnapshotResult extends CollectionPlace {
  counts: SnapshotCounts
  file: string
  /** Bytes of the file. */
  size: number
}

/**
 * Plans the snapshot of one collection. The folder of its file is made when it is missing, as the Python tool does.
 *
 * @throws ChopsError `usage` for a place that cannot be one of a snapshot
 */
export async function planSnapshot(
  dir: PersistDir,
  collection: Collection,
  output: string,
): Promise<SnapshotPlan> {
  await makeFolder(dirname(resolve(output)), dir.path)
  const {exists: fileExists, path} = await inspectOutputFile(output, dir.path)
  return {...placeOf(collection), file: path, fileExists}
}

/** Plans snapshots of several collections, each in a file of its own in the folder, which is made when it is missing. */
export async function planSnapshots(
  dir: PersistDir,
  collections: readonly Collection[],
  folder: string,
): Promise<SnapshotPlan[]> {
  await makeFolder(resolve(folder), dir.path)
  const real = await realFolder(folder)
  const names = fileNamesOf(collections)
  return Promise.all(
    collections.map(async (collection) => {
      const file = join(real, names.get(collection.id) ?? '')
      const {exists: fileExists, path} = await inspectOutputFile(file, dir.path)
      return {...placeOf(collection), file: path, fileExists}
    }),
  )
}

/** Makes a folder, but none in the persist directory. That one is missing, or that a file is in the way, is said later. */
async function makeFolder(folder: string, persistDir: string): Promise<void> {
  const missing: string[] = []
  let above = folder
  while (!(await exists(above))) {
    missing.unshift(above)
    above = dirname(above)
  }

  const [there, place] = await Promise.all([realpath(above), realpath(persistDir)])
  if (there === place || there.startsWith(place + sep)) return
  try {
    // Node's own recursive mkdir never ends in a file system like /proc, where ENOENT is the answer to every name.
    for (const path of missing) await mkdir(path)
  } catch (error) {
    const {code = ''} = error as NodeJS.ErrnoException
    if (!['EEXIST', 'ENOENT', 'ENOTDIR'].includes(code)) throw error
  }
}

/** Takes a planned snapshot. */
export async function snapshotCollection(
  dir: PersistDir,
  plan: SnapshotPlan,
  options: SnapshotOptions,
): Promise<SnapshotResult> {
  const {collection, collectionId, database, file, tenant} = plan
  const taken = await takeSnapshot(dir, {id: collectionId}, file, options)
  return {collection, collectionId, database, file, tenant, ...taken}
}

function placeOf({database, id, name, tenant}: Collection): CollectionPlace {
  return {collection: name, collectionId: id, database, tenant}
}
