import {join} from 'node:path'

import {usage} from '../errors.js'
import {createDatabase} from '../sqlite/create.js'
import {transaction} from '../sqlite/database.js'
import {METADB_OF_RUST, type SchemaVersions} from './generation.js'
import {DATABASE_FILE} from './persist-dir.js'

const MIGRATIONS_TABLE = `CREATE TABLE migrations (
                dir TEXT NOT NULL,
                version INTEGER NOT NULL,
                filename TEXT NOT NULL,
                sql TEXT NOT NULL,
                hash TEXT NOT NULL,
                PRIMARY KEY (dir, version)
            )`

/** With its one row: the Rust engines update it to take SQLite's write lock (`rust/sqlite/src/db.rs`). */
const ACQUIRE_WRITE_TABLE = `CREATE TABLE acquire_write (
                id INTEGER PRIMARY KEY,
                lock_status INTEGER NOT NULL
            );
            INSERT INTO acquire_write (lock_status) VALUES (TRUE)`

/**
 * Creates `chroma.sqlite3` in an existing folder as an engine of this schema does in an empty one: its tables, its record
 * of migrations, the default tenant and database, and no collection.
 *
 * @throws ChopsError `usage` for a schema that is newer than the ones chops knows
 */
export async function createChromaDatabase(folder: string, schema: SchemaVersions): Promise<void> {
  const {migrationsOf} = await import('./migrations.js')
  const migrations = migrationsOf(schema)
  if (!migrations) {
    const {embeddingsQueue, metadb, sysdb} = schema
    throw usage(
      `A directory with the schema sysdb ${sysdb}, metadb ${metadb}, embeddings_queue ${embeddingsQueue} cannot be created: this chops knows no Chroma with it.`,
      {file: folder, next: 'Use a newer chops, or create the directory with Chroma first.'},
    )
  }

  const db = await createDatabase(join(folder, DATABASE_FILE))
  try {
    await transaction(db, 'IMMEDIATE', async () => {
      await db.exec(MIGRATIONS_TABLE)
      if (schema.metadb >= METADB_OF_RUST) await db.exec(ACQUIRE_WRITE_TABLE)
      for (const {dir, filename, hash, sql, version} of migrations) {
        await db.exec(sql)
        await db.run('INSERT INTO migrations (dir, version, filename, sql, hash) VALUES (?, ?, ?, ?, ?)', [
          dir,
          version,
          filename,
          sql,
          hash,
        ])
      }
    })
  } finally {
    await db.close()
  }
}
