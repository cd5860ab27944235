import {join, resolve} from 'node:path'

import {DATABASE_FILE} from '../persist-dir/persist-dir.js'
import {inspectDatabaseFile} from '../sqlite/database-file.js'
import {openDatabase} from '../sqlite/open.js'

/** Somebody waits for an answer at the keyboard. */
const BUSY_TIMEOUT_MS = 50
/** More names than this help nobody. */
const MOST = 5000

/** The names of a directory, without anything else of its catalog. */
export interface Places {
  collections: {database: string; name: string; tenant: string}[]
  databases: {name: string; tenant: string}[]
  tenants: string[]
}

/**
 * Reads the names of collections, databases and tenants: three small queries, for the completion of a command line. A
 * directory that is being written, or was left in the middle of a write, gives none, because reading it takes a copy.
 *
 * @param persistDir path of the folder that holds `chroma.sqlite3`
 * @throws ChopsError as `openDatabase`
 */
export async function readPlaces(persistDir: string): Promise<Places> {
  const file = join(resolve(persistDir), DATABASE_FILE)
  const {journal, shm, wal} = inspectDatabaseFile(file)
  if (journal || shm || wal) return {collections: [], databases: [], tenants: []}
  const db = await openDatabase(file, {busyTimeout: BUSY_TIMEOUT_MS, mode: 'read'})
  try {
    return {
      collections: await db.all(
        `SELECT c.name, d.name AS database, d.tenant_id AS tenant
         FROM collections c JOIN databases d ON d.id = c.database_id ORDER BY c.name LIMIT ${MOST}`,
      ),
      databases: await db.all(`SELECT name, tenant_id AS tenant FROM databases ORDER BY name LIMIT ${MOST}`),
      tenants: (await db.all<{id: string}>(`SELECT id FROM tenants ORDER BY id LIMIT ${MOST}`)).map(
        ({id}) => id,
      ),
    }
  } finally {
    await db.close()
  }
}
