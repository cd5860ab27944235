import {join} from 'node:path'

import type {Database} from '../../core/src/sqlite/database.js'

import {openDatabase} from '../../core/src/sqlite/open.js'

/** The log as a Chroma up to 0.6.3 writes it that was told another `tenant_id` and `topic_namespace`. */
export async function renameTopics(persistDir: string, prefix = 'persistent://acme/own/'): Promise<void> {
  await withDatabase(persistDir, (db) =>
    db.run("UPDATE embeddings_queue SET topic = replace(topic, 'persistent://default/default/', ?)", [
      prefix,
    ]),
  )
}

/** Changes a test's own copy of a directory behind chops's back. */
export async function withDatabase<T>(persistDir: string, work: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase(join(persistDir, 'chroma.sqlite3'), {mode: 'write'})
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}
