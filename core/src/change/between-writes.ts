import {stat} from 'node:fs/promises'
import {setTimeout as sleep} from 'node:timers/promises'

import type {PersistDir} from '../persist-dir/persist-dir.js'

import {transaction} from '../sqlite/database.js'

const ATTEMPTS = 40
const RETRY_MS = 50

/**
 * Runs work in a read transaction, which keeps everybody from committing, that begins while nobody is in the middle of a
 * write. Chroma up to 0.6 writes index files before it commits: with its commit kept away they would hold what the
 * database does not, and lack what it does.
 *
 * A transaction in progress shows by its journal. One that stays is no transaction's: work runs beside it all the same.
 */
export async function betweenWrites<T>(
  {databaseFile, db}: Pick<PersistDir, 'databaseFile' | 'db'>,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === ATTEMPTS
    const done = await transaction(db, 'DEFERRED', async () => {
      // The lock comes with the first read.
      await db.get('SELECT count(*) FROM sqlite_master')
      const mayBegin = isLast || (await journalOf({databaseFile, db})) === undefined
      return mayBegin ? {result: await work()} : undefined
    })
    if (done) return done.result
    await sleep(RETRY_MS, undefined, {signal})
  }
}

/**
 * The journal by which another process shows that it is in the middle of a transaction: a text that another transaction's
 * differs from. One that a killed process left stays the same. A private copy has none.
 */
export async function journalOf({
  databaseFile,
  db,
}: Pick<PersistDir, 'databaseFile' | 'db'>): Promise<string | undefined> {
  if (db.source !== 'direct') return undefined
  try {
    const {ino, mtimeNs, size} = await stat(`${databaseFile}-journal`, {bigint: true})
    return size > 0n ? `${ino} ${mtimeNs} ${size}` : undefined
  } catch {
    return undefined
  }
}
