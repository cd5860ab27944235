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

/** What an engine's SQLite, up to 3.46, has no words of. */
export const BEHIND_NUL = '\0inside text'

/**
 * Gives some documents a NUL character with words behind it, and leaves them as the engines do: they keep the whole text,
 * and have the words up to the NUL in the index.
 *
 * @returns the ids of the rows
 */
export async function giveNulDocuments(db: Database, collection = '%'): Promise<number[]> {
  const rows = await db.all<{id: number}>(
    `SELECT m.id FROM embedding_metadata m JOIN embeddings e ON e.id = m.id JOIN segments s ON s.id = e.segment_id
     JOIN collections c ON c.id = s.collection
     WHERE m.key = 'chroma:document' AND m.string_value <> '' AND c.name LIKE ? ORDER BY m.id LIMIT 5`,
    [collection],
  )
  const ids = rows.map(({id}) => id)
  for (const id of ids) {
    const document = `mark${id}${BEHIND_NUL}`
    await db.run(`UPDATE ${TABLE} SET string_value = ? WHERE rowid = ?`, [`mark${id}`, id])
    await db.run(`UPDATE ${TABLE}_content SET c0 = ? WHERE id = ?`, [document, id])
    await db.run(`UPDATE embedding_metadata SET string_value = ? WHERE id = ? AND key = 'chroma:document'`, [
      document,
      id,
    ])
  }

  // As SQLite up to 3.46 has it, of which marks of deleted words are left otherwise.
  await db.exec(`INSERT INTO ${TABLE} (${TABLE}) VALUES ('optimize')`)
  return ids
}

/** Puts all words of the newest document with a NUL character into the index, as SQLite from 3.48 on does it. */
export async function indexNewestWhole(db: Database): Promise<void> {
  const newest = await db.get<{id: number; text: string}>(
    `SELECT id, c0 AS text FROM ${TABLE}_content WHERE instr(c0, char(0)) > 0 ORDER BY id DESC LIMIT 1`,
  )
  if (!newest) throw new Error('there is no document with a NUL character')
  await db.run(`UPDATE ${TABLE}_content SET c0 = substr(c0, 1, instr(c0, char(0)) - 1) WHERE id = ?`, [
    newest.id,
  ])
  await db.run(`UPDATE ${TABLE} SET string_value = ? WHERE rowid = ?`, [newest.text, newest.id])
}

/** The words that the index has of each row whose text has a NUL character, and how many it counted. */
export async function wordsOfNulDocuments(
  db: Database,
): Promise<{counted: string; text: string; words: string}[]> {
  await db.exec(
    `CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab('main', '${TABLE}', 'instance')`,
  )
  return db.all(
    `SELECT c0 AS text, hex(d.sz) AS counted,
            (SELECT group_concat(term, '|' ORDER BY offset) FROM temp.words WHERE doc = c.id) AS words
     FROM ${TABLE}_content c JOIN ${TABLE}_docsize d ON d.id = c.id WHERE instr(c0, char(0)) > 0 ORDER BY c.id`,
  )
}

/** How many words the index has of rows that are gone. */
export async function wordsOfNothing(db: Database): Promise<number> {
  await db.exec(
    `CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab('main', '${TABLE}', 'instance')`,
  )
  const row = await db.get<{count: number}>(
    `SELECT COUNT(*) AS count FROM temp.words WHERE doc NOT IN (SELECT id FROM ${TABLE}_content)`,
  )
  return row?.count ?? Infinity
}
