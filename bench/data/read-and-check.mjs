import {openDatabase} from '@chops/core/sqlite'
import {createReadStream} from 'node:fs'

/** Reads the given files once, the first of them a database, on which SQLite then runs its own integrity check. */
const files = process.argv.slice(2)
for (const file of files) {
  for await (const chunk of createReadStream(file, {highWaterMark: 1 << 20})) {
    if (chunk.length === 0) throw new Error(`${file} is empty`)
  }
}

const db = await openDatabase(files[0], {mode: 'read'})
await db.all('PRAGMA integrity_check')
await db.close()
