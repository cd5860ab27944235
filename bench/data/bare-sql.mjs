// The least that a job on the log or on a collection takes, in plain SQL and with nothing checked: bare-sql.mjs JOB DIRECTORY [TARGET].
//
// export: the rows of the log as lines of JSON on stdout; clean: deletes all rows but the highest, and VACUUM; snapshot: the rows of
// the tables of the one collection into TARGET, with the index files in pieces.
import {createReadStream} from 'node:fs'
import {readdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import sqlite3 from 'sqlite3'
import {promisify} from 'node:util'

const [job, directory, target] = process.argv.slice(2)
const db = new sqlite3.Database(join(directory, 'chroma.sqlite3'))
const exec = promisify(db.exec.bind(db))
const TABLES = [
  'embeddings',
  'embedding_metadata',
  'embeddings_queue',
  'segments',
  'segment_metadata',
  'collections',
  'collection_metadata',
  'max_seq_id',
]

const jobs = {
  async clean() {
    await exec(`
      BEGIN IMMEDIATE;
      DELETE FROM embeddings_queue WHERE seq_id < (SELECT MAX(seq_id) FROM embeddings_queue);
      COMMIT;
      VACUUM`)
  },
  async export() {
    const each = promisify(db.each.bind(db))
    await each('SELECT * FROM embeddings_queue ORDER BY seq_id', (error, row) => {
      if (error) throw error
      process.stdout.write(`${JSON.stringify({...row, vector: row.vector?.toString('base64') ?? null})}\n`)
    })
  },
  async snapshot() {
    await rm(target, {force: true})
    await exec(`PRAGMA cache_size = -65536; ATTACH '${target.replaceAll("'", "''")}' AS target; BEGIN`)
    for (const table of TABLES) await exec(`CREATE TABLE target.${table} AS SELECT * FROM main.${table}`)
    await exec('CREATE TABLE target.files (name TEXT, chunk INTEGER, data BLOB)')
    const folder = (await readdir(directory)).find((name) => /^[\da-f-]{36}$/.test(name))
    const insert = db.prepare('INSERT INTO target.files VALUES (?, ?, ?)')
    const run = promisify(insert.run.bind(insert))
    for (const name of await readdir(join(directory, folder))) {
      let chunk = 0
      for await (const data of createReadStream(join(directory, folder, name), {highWaterMark: 1 << 20}))
        await run(name, chunk++, data)
    }

    await promisify(insert.finalize.bind(insert))()
    await exec('COMMIT')
  },
}

await jobs[job]()
await promisify(db.close.bind(db))()
