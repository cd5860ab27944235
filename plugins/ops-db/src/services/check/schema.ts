import {hasColumn} from '@chops/core/catalog'
import {FTS_TABLE, readFtsDefinition} from '@chops/core/fts'
import {counted} from '@chops/core/output'

import {type CheckContext, hasTable} from './context.js'
import {byFix, commandLine} from './finding.js'
import {listText} from './list-text.js'
import {compareMigrations, type RecordedMigration} from './migrations.js'

/** S3, S4 and S6: the schema. */
export async function checkSchema(context: CheckContext): Promise<void> {
  const {db, findings} = context
  await findings.guard('S3', 'The migrations', async () => {
    const applied = await db.all<RecordedMigration>(
      `SELECT CAST(dir AS TEXT) AS dir, CAST(version AS INTEGER) AS version, CAST(filename AS TEXT) AS filename,
              CAST(sql AS TEXT) AS sql, CAST(hash AS TEXT) AS hash FROM migrations ORDER BY dir, version`,
    )
    const {newer, problems} = compareMigrations(applied)
    if (problems.length > 0)
      findings.add('S3', `Chroma refuses the recorded migrations: ${listText(problems)}.`)
    if (newer.length > 0) {
      const message = `A Chroma newer than 1.5 migrated the directory (${listText(newer)}); older ones refuse it, and chops may not know all of it.`
      findings.add('S3', message, {severity: 'I'})
    }
  })
  await findings.guard('S4', 'The tables', async () => checkTables(context))
  await findings.guard('S6', 'The table acquire_write', async () => checkWriteLock(context))
}

async function checkTables({db, findings, generation, path}: CheckContext): Promise<void> {
  const rows = await db.all<{name: string}>("SELECT name FROM sqlite_master WHERE type = 'table'")
  const there = new Set(rows.map(({name}) => name))
  const {embeddingsQueue, metadb, sysdb} = generation.schema
  const wanted = [
    'collection_metadata',
    'collections',
    'databases',
    'segment_metadata',
    'segments',
    'tenants',
    'embedding_metadata',
    'embeddings',
    'embeddings_queue',
    'max_seq_id',
    'migrations',
    ...(sysdb >= 8 ? ['maintenance_log'] : []),
    ...(embeddingsQueue >= 2 ? ['embeddings_queue_config'] : []),
    ...(metadb >= 6 ? ['embedding_metadata_array'] : []),
  ]
  const missing = wanted.filter((name) => !there.has(name))
  if (missing.length > 0) {
    findings.add(
      'S4',
      `${databaseText(missing)} missing, and Chroma cannot work without. Restore chroma.sqlite3 from a backup.`,
    )
  }

  const {missing: shadows, sql} = await readFtsDefinition(db)
  const missingFts = [...(sql === undefined ? [FTS_TABLE] : []), ...shadows]
  if (missingFts.length > 0) {
    findings.add('S4', `${databaseText(missingFts)} missing: searches for words of documents fail.`, {
      command: commandLine('fts', 'rebuild', path),
    })
  }
}

/** The Rust engines lock the database by updating this row (`begin_immediate` in `rust/sqlite/src/db.rs`). */
async function checkWriteLock({db, findings, generation, path}: CheckContext): Promise<void> {
  if (generation.engine !== 'rust' || !(await hasTable(db, 'acquire_write'))) return
  if (!(await hasColumn(db, 'acquire_write', 'id'))) return
  const row = await db.get('SELECT 1 FROM acquire_write WHERE id = 1')
  if (!row) {
    const message =
      'acquire_write lacks its row 1, so that two processes of Chroma can write at the same time.'
    findings.add('S6', message, byFix(path))
  }
}

function databaseText(tables: string[]): string {
  return `The ${counted(tables.length, 'table').replace(/^1 /, '')} ${tables.join(', ')} ${tables.length === 1 ? 'is' : 'are'}`
}
