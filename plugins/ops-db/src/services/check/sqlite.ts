import {counted} from '@chops/core/output'
import {hasColumn} from '@chops/core/catalog'
import {
  findFtsProblem,
  FTS_SHADOW_TABLES,
  FTS_TABLE,
  readFtsDefinition,
  withoutFalseAlarm,
} from '@chops/core/fts'

import {type CheckContext, hasTable} from './context.js'
import {byFix, commandLine} from './finding.js'
import {compareMigrations, type Migration} from './migrations.js'

const SHOWN = 5

/** More would say nothing new, and a noisy file has millions. */
const MAX_MESSAGES = 100

/**
 * What SQLite keeps of the file in memory, in KiB. It looks up every row in every index, in the order of the rows; with its
 * 2 MB it would read a page of a large index again for nearly each of them.
 */
const CACHE_KIB = 98_304

/** What SQLite, from 3.44 on, says of a virtual table in an integrity check. */
const ABOUT_FTS = /\bFTS5?\b|virtual table/i

/** Damage that only indexes have, which REINDEX makes anew from the rows. */
const ABOUT_INDEX = /^(?:row \d+ missing from index|wrong # of entries in index|non-unique entry in index)/

/** S1, S2 and S7: what SQLite itself says of the file. */
export async function checkSqlite(context: CheckContext, isRecovered: boolean): Promise<void> {
  const {databaseFile, db, findings, onStep, path} = context
  if (isRecovered) {
    findings.add(
      'S7',
      `A process was killed while it was writing ${databaseFile}; what it wrote has to be undone first.`,
      byFix(path),
    )
  }

  const mode = await db.get<{journal_mode: string}>('PRAGMA journal_mode')
  if (mode && mode.journal_mode !== 'delete') {
    const message = `The journal mode is ${mode.journal_mode}; Chroma itself uses delete.`
    findings.add('S7', message, {severity: 'I'})
  }

  onStep('sqlite', 0, 1)
  await findings.guard('S1', `The integrity of ${databaseFile}`, async () => {
    await db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    const messages = await readComplaints(context)
    const aboutFts = messages.filter((message) => ABOUT_FTS.test(message))
    const aboutFile = messages.filter((message) => !ABOUT_FTS.test(message))
    if (aboutFts.length > 0) {
      findings.add('S2', `The full-text index is damaged: ${listText(aboutFts)}.`, {
        command: commandLine('fts', 'rebuild', path),
      })
    }

    if (aboutFile.length > 0) {
      const text = `SQLite finds ${databaseFile} damaged: ${listText(aboutFile)}.`
      if (aboutFile.every((message) => ABOUT_INDEX.test(message))) findings.add('S1', text, byFix(path))
      else findings.add('S1', `${text} ${RESCUE}`)
    }
  })
  onStep('sqlite', 1, 1)
}

const RESCUE = 'Restore it from a backup, or rescue its rows with the .recover command of the sqlite3 shell.'

/**
 * What SQLite's integrity check says; it looks into the full-text index as well. Where that index keeps it from looking
 * at the rest, each of the other tables is looked at by itself.
 */
async function readComplaints({db, signal}: CheckContext): Promise<string[]> {
  try {
    return await withoutFalseAlarm(db, await complaintsOf(db, `${MAX_MESSAGES}`))
  } catch (error) {
    const problem = await findFtsProblem(db)
    if (problem === undefined) throw error
    const tables = await db.all<{name: string}>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage <> 0 ORDER BY name",
    )
    const complaints = [`FTS5 table ${FTS_TABLE} ${problem}`]
    for (const {name} of tables) {
      signal?.throwIfAborted()
      if (!FTS_SHADOW_TABLES.includes(name.toLowerCase()))
        complaints.push(...(await complaintsOf(db, `"${name.replaceAll('"', '""')}"`)))
    }

    return complaints
  }
}

async function complaintsOf(db: CheckContext['db'], argument: string): Promise<string[]> {
  const rows = await db.all<{integrity_check: string}>(`PRAGMA integrity_check(${argument})`)
  return rows.map((row) => row.integrity_check).filter((message) => message !== 'ok')
}

/** S3, S4 and S6: the schema. */
export async function checkSchema(context: CheckContext): Promise<void> {
  const {db, findings} = context
  await findings.guard('S3', 'The migrations', async () => {
    const applied = await db.all<Migration>(
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

/** The first few, and how many more. */
export function listText(items: readonly string[]): string {
  const more = items.length - SHOWN
  return `${items.slice(0, SHOWN).join('; ')}${more > 0 ? ` and ${more} more` : ''}`
}
