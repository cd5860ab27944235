import {realpath} from 'node:fs/promises'

import {inUse} from '../errors.js'
import {openPersistDir, type PersistDir} from '../persist-dir/persist-dir.js'
import {findHolders} from './open-files.js'

export interface WriteOptions {
  /** Go on although another process has the directory open. */
  force?: boolean | undefined
}

/**
 * Makes sure that no other process has a file of the directory open. A running Chroma keeps its own view of the log and
 * of the index in memory; what is written under it is lost.
 *
 * @throws ChopsError `in-use` that names a file, the process and its program
 */
export async function requireUnused(persistDir: string, {force}: WriteOptions = {}): Promise<void> {
  if (force) return
  const [holder] = await findHolders(await realpath(persistDir))
  if (!holder) return
  throw inUse(`${holder.file} is open in process ${holder.pid} (${holder.program}).`, {
    file: holder.file,
    next: 'Stop Chroma and run the command again; --force goes on, at the risk of losing what it writes meanwhile.',
  })
}

/**
 * Opens a persist directory to change it, once nothing else has it open, and closes it after `work`. Each change is to
 * be one `transaction` with mode IMMEDIATE on `dir.db`: SQLite's write lock keeps every other writer out meanwhile.
 *
 * @throws ChopsError `in-use` when another process has the directory open or holds SQLite's lock
 */
export async function withWriteAccess<T>(
  persistDir: string,
  options: WriteOptions,
  work: (dir: PersistDir) => Promise<T>,
): Promise<T> {
  await requireUnused(persistDir, options)
  const dir = await openPersistDir(persistDir, 'write')
  try {
    return await work(dir)
  } finally {
    await dir.close()
  }
}
