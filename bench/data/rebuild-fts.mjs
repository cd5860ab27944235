// The least that rebuilding the full-text index takes: rebuild-fts.mjs DATABASE. One transaction of plain SQL with FTS5 as it is,
// and FTS5's check of the result.
import sqlite3 from 'sqlite3'
import {promisify} from 'node:util'

const db = new sqlite3.Database(process.argv[2])
const exec = promisify(db.exec.bind(db))
await exec(`
  PRAGMA cache_size = -65536;
  BEGIN IMMEDIATE;
  DROP TABLE embedding_fulltext_search;
  CREATE VIRTUAL TABLE embedding_fulltext_search USING fts5(string_value, tokenize = 'trigram');
  INSERT INTO embedding_fulltext_search (rowid, string_value)
    SELECT id, string_value FROM embedding_metadata WHERE +key = 'chroma:document' ORDER BY id;
  INSERT INTO embedding_fulltext_search (embedding_fulltext_search) VALUES ('integrity-check');
  COMMIT`)
await promisify(db.close.bind(db))()
