import {randomUUID} from 'node:crypto'
import {mkdir, rename, rm} from 'node:fs/promises'

import {type Collection, findCollection, vectorSegmentOf} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {encodeSeqId, keepsVectorSeqIdInTable} from '../catalog/seq-id.js'
import {exists} from '../persist-dir/exists.js'
import {segmentFolder} from '../persist-dir/segment-folders.js'
import {transaction} from '../sqlite/database.js'
import {backupName} from './backup-name.js'
import {fsyncPath} from './durable.js'

/** What a builder of an index returns: how far it has applied the log, and whatever the caller wants to know. */
export interface StagedIndex<T> {
  maxSeqId: number
  result: T
}

export interface SwitchOptions {
  /** Keep the old folder under the name of a backup; otherwise it is removed. */
  backup: boolean
  /** More SQL for the same transaction, for example changed parameters. */
  inTransaction?: (newSegmentId: string) => Promise<void>
}

export interface SwitchedIndex<T> {
  /** Where the old folder lies now; absent when there was none or no backup was wanted. */
  backup: string | undefined
  folder: string
  result: T
  segmentId: string
  /** The new index is in force, but the old folder could not be put away: what the user should know. */
  warning: string | undefined
}

/**
 * Replaces the index of a collection without ever changing one in place: builds the new one in a folder named by a new
 * segment id, makes it durable, and points SQLite at it in the same transaction that has kept other writers out since
 * before the build. Only then the old folder is renamed. Killed at any point it leaves the old index or the new one in
 * force, and at most a folder without an owner.
 *
 * @param owner the collection by its id; it is read again under the write lock, because another process may have
 * replaced the index since
 * @param build writes the five files, synced, into the empty folder that `stage` makes, and verifies them; without a
 * result the index stays, and what `build` itself wrote to SQLite is committed
 */
export async function switchIndex<T>(
  dir: PersistDir,
  owner: Pick<Collection, 'id'>,
  options: SwitchOptions,
  build: (stage: () => Promise<string>, collection: Collection) => Promise<StagedIndex<T> | undefined>,
): Promise<SwitchedIndex<T> | undefined> {
  const segmentId = randomUUID()
  const folder = segmentFolder(dir.path, segmentId)
  const stage = async (): Promise<string> => {
    await mkdir(folder)
    return folder
  }

  let switched: undefined | {oldFolder: string; result: T}
  try {
    switched = await transaction(dir.db, 'IMMEDIATE', async () => {
      const collection = await findCollection(dir, owner)
      const {id: oldId} = vectorSegmentOf(dir, collection)
      const oldFolder = segmentFolder(dir.path, oldId)
      const staged = await build(stage, collection)
      if (!staged) return
      await fsyncPath(folder)
      await fsyncPath(dir.path)
      await pointTo(dir, oldId, segmentId, staged.maxSeqId)
      await options.inTransaction?.(segmentId)
      return {oldFolder, result: staged.result}
    })
  } catch (error) {
    await removeUnlessOwned(dir, segmentId, folder)
    throw error
  }

  if (!switched) return undefined
  const retired = await retire(dir, switched.oldFolder, options.backup)
  return {...retired, folder, result: switched.result, segmentId}
}

/**
 * The id of a vector segment appears in these three tables and as the folder's name, nowhere else.
 *
 * With the parameters that is all a switch writes to SQLite: a few rows, whose old pages go to the journal beside the
 * database. Nothing is sorted or copied, so that SQLite needs no room where it puts temporary files; VACUUM alone does.
 */
async function pointTo(
  {db, generation}: PersistDir,
  oldId: string,
  newId: string,
  maxSeqId: number,
): Promise<void> {
  await db.run('UPDATE segments SET id = ? WHERE id = ?', [newId, oldId])
  await db.run('UPDATE segment_metadata SET segment_id = ? WHERE segment_id = ?', [newId, oldId])
  await db.run('DELETE FROM max_seq_id WHERE segment_id = ?', [oldId])
  if (keepsVectorSeqIdInTable(generation)) {
    const seqId = encodeSeqId(generation, maxSeqId)
    await db.run('INSERT INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)', [newId, seqId])
  }
}

/**
 * Removes the folder of a segment that did not come into force.
 *
 * A commit that reports an error may have happened all the same (the disk failed after its last write). A folder is
 * removed only when the database says that nothing owns it; when it cannot say, an orphan is the lesser evil.
 */
export async function removeUnlessOwned({db}: PersistDir, segmentId: string, folder: string): Promise<void> {
  try {
    const owner = await db.get('SELECT 1 FROM segments WHERE id = ?', [segmentId])
    if (!owner) await rm(folder, {force: true, recursive: true})
  } catch {
    // The error that led here is the one to report.
  }
}

/**
 * Puts away the folder of a segment that nothing owns any more: as a backup, or for good. The new index is in force by
 * now, so that whatever goes wrong is worth a warning and no more.
 */
export async function retire(
  dir: PersistDir,
  oldFolder: string,
  keep: boolean,
): Promise<{backup: string | undefined; warning: string | undefined}> {
  try {
    if (!(await exists(oldFolder))) return {backup: undefined, warning: undefined}
    if (!keep) {
      await rm(oldFolder, {recursive: true})
      return {backup: undefined, warning: undefined}
    }

    const backup = backupName(oldFolder)
    await rename(oldFolder, backup)
    await fsyncPath(dir.path)
    return {backup, warning: undefined}
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const warning = `The new index is in force, but the old folder ${oldFolder} could not be put away: ${reason}. No segment owns it any more.`
    return {backup: undefined, warning}
  }
}
