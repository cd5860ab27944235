import {join} from 'node:path'

import type {Database} from '../../core/src/sqlite/database.js'

import {openDatabase} from '../../core/src/sqlite/open.js'

/** Changes a test's own copy of a directory behind chops's back. */
export async function withDatabase<T>(persistDir: string, work: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase(join(persistDir, 'chroma.sqlite3'), {mode: 'write'})
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}
