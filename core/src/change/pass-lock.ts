import {open, realpath} from 'node:fs/promises'
import {join} from 'node:path'

import {damaged, inUse} from '../errors.js'
import {exists} from '../persist-dir/exists.js'
import {chooseDriver, connect} from '../sqlite/connect.js'
import type {Database} from '../sqlite/database.js'
import {primaryCode, SQLITE_BUSY} from '../sqlite/errors.js'
import {findProcesses, PASS_LOCK_FILE} from './open-files.js'

/**
 * Runs a pass of several commands over a directory unless another pass is at work there. The lock is SQLite's own, on an
 * empty file of the directory: the kernel gives it back however the process ends, and it holds between containers that
 * share a volume. The file stays: a pass that waited for a removed one would run beside one that made a new one.
 *
 * @throws ChopsError `in-use` that names the process with the other pass, `damaged` when the directory cannot be written
 */
export async function withPassLock<T>(persistDir: string, work: () => Promise<T>): Promise<T> {
  const path = join(await realpath(persistDir), PASS_LOCK_FILE)
  await createLockFile(path)
  const db = await lock(path).catch((error: unknown) => refuse(persistDir, path, error))
  try {
    return await work()
  } finally {
    await db.close()
  }
}

/** What keeps a file from being made, where the error of the system speaks of opening it. */
const REFUSALS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
}

async function createLockFile(path: string): Promise<void> {
  const file = await open(path, 'a').catch(async (error: NodeJS.ErrnoException) => {
    const reason = REFUSALS[error.code ?? '']
    if (reason === undefined) throw error
    const failed = (await exists(path)) ? 'written' : 'created'
    throw damaged(`${path} cannot be ${failed}: ${reason}.`, {
      cause: error,
      file: path,
      next: 'Run chops as the user that runs Chroma, on a directory that can be written.',
    })
  })
  await file.close()
}

async function lock(path: string): Promise<Database> {
  const driver = await chooseDriver()
  const db = await connect({access: 'write', busyTimeout: 0, driver, file: path, path})
  try {
    // Nothing is ever written, so a journal beside the file would only be in the way.
    await db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

async function refuse(persistDir: string, path: string, error: unknown): Promise<never> {
  if (primaryCode(error) !== SQLITE_BUSY) throw error
  const [holder] = await findProcesses((file) => (file === path ? path : undefined))
  const who = holder === undefined ? '' : ` in process ${holder.pid} (${holder.program})`
  throw inUse(`Another maintenance pass is at work on ${persistDir}${who}.`, {
    cause: error,
    file: path,
    next: 'Wait until it is done; it is safe to start this one again then.',
  })
}
