import {readCatalog} from '@chops/core/catalog'
import {withWriteAccess, type WriteOptions} from '@chops/core/change'
import {generationText, type PersistDir} from '@chops/core/persist-dir'

import type {SnapshotCounts} from '../format/counts.js'
import type {Layout} from '../format/layout.js'
import type {Snapshot} from '../format/open.js'
import {checkRows, compareTables} from '../format/verify.js'
import {planConversion} from './conversion.js'
import {restoreIntoNewDirectory} from './new-directory.js'
import {type RestoredCollection, restoreInto, type RestoreOptions} from './restore-into.js'
import {findReplaced, type RestoreTarget, type RestoreWish, targetOf} from './target.js'

/** What a restore is going to do. */
export interface RestorePlan extends RestoreTarget {
  counts: SnapshotCounts
  file: string
  layout: Layout
  /** Whether the directory is made. */
  newDirectory: boolean
  /** Records as Chroma counted them. */
  records: number
  /** The id of the collection that goes away. */
  replaces: null | string
  snapshotVersion: string
}

/**
 * Plans a restore and checks the snapshot's rows, after its seal. The checksums of its tables and its index are verified
 * while they are written, before anything is in force.
 *
 * @param dir opened for reading; absent when it is to be made
 * @param options with `isDryRun`: nothing is going to be written, so the checksums of the tables are compared now
 * @throws ChopsError `damaged` when the snapshot is not what was written, `usage` when the place is taken or the
 * directory's generation cannot hold the collection
 */
export async function planRestore(
  dir: PersistDir | undefined,
  snapshot: Snapshot,
  wish: RestoreWish,
  options: {isDryRun: boolean; signal?: AbortSignal | undefined},
): Promise<RestorePlan> {
  const target = targetOf(snapshot.collection, wish)
  const replaced = dir && findReplaced(await readCatalog(dir), target, wish)
  if (dir) await planConversion(snapshot, dir.generation)
  const counts = await checkRows(snapshot)
  if (options.isDryRun) await compareTables(snapshot, options)
  return {
    ...target,
    counts,
    file: snapshot.file,
    layout: snapshot.layout,
    newDirectory: dir === undefined,
    records: snapshot.info.records,
    replaces: replaced?.id ?? null,
    snapshotVersion: generationText(snapshot.generation),
  }
}

/** Carries a plan out. */
export async function restoreSnapshot(
  persistDir: string,
  {newDirectory}: RestorePlan,
  snapshot: Snapshot,
  wish: RestoreWish,
  options: RestoreOptions & WriteOptions,
): Promise<RestoredCollection> {
  return newDirectory
    ? restoreIntoNewDirectory(persistDir, snapshot, wish, options)
    : withWriteAccess(persistDir, options, (dir) => restoreInto(dir, snapshot, wish, options))
}
