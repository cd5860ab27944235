import {join} from 'node:path'

import type {Database} from '../../core/src/sqlite/database.js'

import {openDatabase} from '../../core/src/sqlite/open.js'
import {overwrite} from './damage.js'
import {withDatabase} from './sql.js'

const TABLE = 'embedding_fulltext_search'

const run = (sql: string) => (persistDir: string) => withDatabase(persistDir, (db) => db.exec(sql))

/** Rewrites what the schema says about a table. */
const redefine = (sql: string) => (persistDir: string) =>
  withDatabase(persistDir, async (db) => {
    await db.exec('PRAGMA writable_schema = ON')
    await db.run('UPDATE sqlite_master SET sql = ? WHERE name = ?', [sql, TABLE])
    await db.exec('PRAGMA writable_schema = RESET')
  })

/** What can happen to the full-text index, each of which its engine does not survive or does not notice. */
export const FULL_TEXT_DAMAGE: Record<string, (persistDir: string) => Promise<void>> = {
  'a content row that says something else': run(
    `UPDATE ${TABLE}_content SET c0 = 'something else' WHERE id = (SELECT max(id) FROM ${TABLE}_content)`,
  ),
  'a missing content row': run(
    `DELETE FROM ${TABLE}_content WHERE id = (SELECT max(id) FROM ${TABLE}_content)`,
  ),
  'a shadow table of noise': run(`UPDATE ${TABLE}_data SET block = randomblob(length(block)) WHERE id > 10`),
  'a table that SQLite cannot read': (persistDir) => spoilTree(persistDir, `${TABLE}_data`),
  'a tokenizer that nobody has': redefine(
    `CREATE VIRTUAL TABLE ${TABLE} USING fts5(string_value, tokenize='klingon')`,
  ),
  'a version that nobody has': run(`UPDATE ${TABLE}_config SET v = 99 WHERE k = 'version'`),
  'an empty shadow table': run(`DELETE FROM ${TABLE}_data`),
  'another module': redefine(`CREATE VIRTUAL TABLE ${TABLE} USING fts9(string_value)`),
  'no table at all': run(`DROP TABLE ${TABLE}`),
  ...Object.fromEntries(
    ['config', 'content', 'data', 'docsize', 'idx'].map((name) => [
      `no table ${TABLE}_${name}`,
      run(`DROP TABLE ${TABLE}_${name}`),
    ]),
  ),
}

/** Fills the first page of a table with bytes that are no page of a tree. */
export async function spoilTree(persistDir: string, table: string): Promise<void> {
  const place = await withDatabase(persistDir, (db) =>
    db.get<{page: number; size: number}>(
      `SELECT rootpage AS page, page_size AS size FROM sqlite_master, pragma_page_size WHERE name = ?`,
      [table],
    ),
  )
  if (!place) throw new Error(`there is no table ${table}`)
  const file = join(persistDir, 'chroma.sqlite3')
  overwrite(file, (place.page - 1) * place.size, new Uint8Array(place.size).fill(0x55))
}

/** The full-text index beside the documents: rows that the other side does not have, or has with another text. */
export async function fullTextDifferences(db: Database): Promise<number> {
  const documents = `SELECT id, string_value FROM embedding_metadata WHERE key = 'chroma:document'`
  const indexed = `SELECT rowid, string_value FROM ${TABLE}`
  const row = await db.get<{count: number}>(
    `SELECT (SELECT count(*) FROM (${documents} EXCEPT ${indexed})) +
            (SELECT count(*) FROM (${indexed} EXCEPT ${documents})) AS count`,
  )
  return row?.count ?? Infinity
}

/** Opens for reading, as `db check` does. */
export async function readingDatabase<T>(persistDir: string, work: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase(join(persistDir, 'chroma.sqlite3'), {mode: 'read'})
  try {
    return await work(db)
  } finally {
    await db.close()
  }
}
