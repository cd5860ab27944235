import type {PersistDir} from '../persist-dir/persist-dir.js'

import {damaged} from '../errors.js'

/** Whether Chroma purges applied log rows by itself; `unset` before 0.5.6 and until an engine has decided. */
export type PurgeMode = 'auto' | 'off' | 'unset'

/** Reads `embeddings_queue_config`, which exists from Chroma 0.5.6 on (embeddings_queue migration 2). */
export async function readPurgeMode({databaseFile, db, generation}: PersistDir): Promise<PurgeMode> {
  if (generation.schema.embeddingsQueue < 2) return 'unset'
  const row = await db.get<{config_json_str: null | string}>(
    'SELECT config_json_str FROM embeddings_queue_config ORDER BY id LIMIT 1',
  )
  if (!row || row.config_json_str === null) return 'unset'
  try {
    const config = JSON.parse(row.config_json_str) as null | {automatically_purge?: unknown}
    return config?.automatically_purge === true ? 'auto' : 'off'
  } catch (error) {
    throw damaged(`The log configuration in ${databaseFile} (table embeddings_queue_config) is not JSON.`, {
      cause: error,
      file: databaseFile,
      next: 'Restore chroma.sqlite3 from a backup, or delete the row: Chroma writes a new one.',
    })
  }
}
