import {open} from 'node:fs/promises'
import {resolve} from 'node:path'

import type {Database} from './database.js'

import {chooseDriver, connect} from './connect.js'

/** Nobody else knows a file that has just been made. */
const BUSY_TIMEOUT_MS = 0

/** Creates an SQLite database, which must not exist yet, and opens it for writing. */
export async function createDatabase(file: string): Promise<Database> {
  // SQLite takes an empty file for an empty database; made here, so that an existing one is never taken over.
  await (await open(file, 'wx')).close()
  return connectTo(file, 'write')
}

/**
 * Opens a database that this process is making once more, to read what is committed while the first connection adds to it.
 * It takes no lock and notices no change: pages that are there already must stay as they are.
 */
export async function openCommitted({file}: Pick<Database, 'file'>): Promise<Database> {
  return connectTo(file, 'immutable')
}

async function connectTo(file: string, access: 'immutable' | 'write'): Promise<Database> {
  const driver = await chooseDriver()
  return connect({access, busyTimeout: BUSY_TIMEOUT_MS, driver, file, path: resolve(file)})
}
