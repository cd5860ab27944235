// The least that restoring the rows of a snapshot takes: fill-tables.mjs SNAPSHOT DATABASE. One transaction of plain SQL that
// copies them into the tables of an empty database of Chroma, with FTS5 as it is; no index files, and nothing is checked.
import sqlite3 from 'sqlite3'
import {promisify} from 'node:util'

const [snapshot, database] = process.argv.slice(2)
const db = new sqlite3.Database(database)
const exec = promisify(db.exec.bind(db))
const values = 'id, key, string_value, int_value, float_value, bool_value'
await exec(
  `PRAGMA cache_size = -65536; ATTACH '${snapshot.replaceAll("'", "''")}' AS snapshot; BEGIN IMMEDIATE`,
)
await exec('INSERT INTO main.embeddings SELECT * FROM snapshot.embeddings ORDER BY id')
await exec(
  `INSERT INTO main.embedding_metadata (${values}) SELECT ${values} FROM snapshot.embedding_metadata ORDER BY id, key`,
)
await exec(
  `INSERT INTO main.embedding_fulltext_search (rowid, string_value)
   SELECT id, string_value FROM snapshot.embedding_metadata WHERE key = 'chroma:document' ORDER BY id`,
)
await exec('COMMIT')
await promisify(db.close.bind(db))()
