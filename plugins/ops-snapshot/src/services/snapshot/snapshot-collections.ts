import type {Collection} from '@chops/core/catalog'

import {inspectOutputFile, realFolder} from '@chops/core/change'
import type {PersistDir} from '@chops/core/persist-dir'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'

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
 * Plans the snapshot of one collection.
 *
 * @throws ChopsError `usage` for a place that cannot be one of a snapshot
 */
export async function planSnapshot(
  dir: PersistDir,
  collection: Collection,
  output: string,
): Promise<SnapshotPlan> {
  const {exists, path} = await inspectOutputFile(output, dir.path)
  return {...placeOf(collection), file: path, fileExists: exists}
}

/** Plans snapshots of several collections, each in a file of its own in the folder, which is made when it is missing. */
export async function planSnapshots(
  dir: PersistDir,
  collections: readonly Collection[],
  folder: string,
): Promise<SnapshotPlan[]> {
  await mkdir(folder, {recursive: true}).catch((error: NodeJS.ErrnoException) => {
    // A file is in the way, which is said next.
    if (error.code !== 'EEXIST' && error.code !== 'ENOTDIR') throw error
  })
  const real = await realFolder(folder)
  const names = fileNamesOf(collections)
  return Promise.all(
    collections.map(async (collection) => {
      const file = join(real, names.get(collection.id) ?? '')
      const {exists, path} = await inspectOutputFile(file, dir.path)
      return {...placeOf(collection), file: path, fileExists: exists}
    }),
  )
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
