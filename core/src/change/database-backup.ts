import {constants} from 'node:fs'
import {copyFile, rename, rm, stat} from 'node:fs/promises'
import {dirname} from 'node:path'

import {inUse} from '../errors.js'
import {backupName} from './backup-name.js'
import {requireFreeSpace} from './disk-space.js'
import {fsyncPath} from './durable.js'

/** A copy of a database file, and what the original was like when it was made. */
export interface DatabaseBackup {
  path: string
  /** @throws ChopsError `in-use` when the original has been written to since */
  requireUnchanged(): Promise<void>
}

/**
 * Copies `chroma.sqlite3` to `chroma.sqlite3_backup_<time>` beside it, as it is and durably. Without SQLite, which refuses
 * to copy what it finds damaged; so no connection of this process may be open on the file, and nothing may be left to
 * recover in a journal.
 *
 * @throws ChopsError `damaged` when the disk has no room, `in-use` when the file is written to meanwhile
 */
export async function backUpDatabase(databaseFile: string): Promise<DatabaseBackup> {
  const before = await look(databaseFile)
  const folder = dirname(databaseFile)
  await requireFreeSpace(folder, before.size, 'the backup of chroma.sqlite3')
  const requireUnchanged = async (): Promise<void> => {
    const now = await look(databaseFile)
    if (now.size === before.size && now.changed === before.changed) return
    throw inUse(`${databaseFile} was changed by another process meanwhile.`, {
      file: databaseFile,
      next: 'Stop Chroma and run the command again.',
    })
  }

  const path = backupName(databaseFile)
  const temporary = `${path}.tmp`
  try {
    await copyFile(databaseFile, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    await fsyncPath(temporary)
    await requireUnchanged()
    await rename(temporary, path)
    await fsyncPath(folder)
  } catch (error) {
    await rm(temporary, {force: true})
    throw error
  }

  return {path, requireUnchanged}
}

async function look(file: string): Promise<{changed: bigint; size: number}> {
  const {mtimeNs, size} = await stat(file, {bigint: true})
  return {changed: mtimeNs, size: Number(size)}
}
