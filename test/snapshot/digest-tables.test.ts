import {expect} from 'chai'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {createDatabase} from '../../core/src/sqlite/create.js'
import type {Database} from '../../core/src/sqlite/database.js'
import {digestTables} from '../../plugins/ops-snapshot/src/services/format/digest-tables.js'
import {digestTable} from '../../plugins/ops-snapshot/src/services/format/table-hash.js'
import {FORMAT_VERSION, TABLE_NAMES, TABLES} from '../../plugins/ops-snapshot/src/services/format/tables.js'
import {temporaryFolder} from '../support/fixtures.js'

const MIB = 1024 * 1024

/** A database of so many bytes that threads divide the work on it. */
async function createLargeDatabase(file: string): Promise<Database> {
  const db = await createDatabase(file)
  await db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF')
  for (const name of TABLE_NAMES) await db.exec(TABLES[name].ddl)
  for (let id = 1; id <= 130; id++) {
    await db.run(
      "INSERT INTO embeddings_queue (seq_id, created_at, operation, topic, id, vector) VALUES (?, '', 0, 'topic', 'a', ?)",
      [id, Buffer.alloc(MIB, id)],
    )
    await db.run("INSERT INTO embedding_metadata (id, key, float_value) VALUES (?, 'x', ?)", [id, id / 3])
  }

  return db
}

describe('a large snapshot', () => {
  let file: string
  let db: Database

  before(async () => {
    file = join(temporaryFolder(), 'large.sqlite3')
    db = await createLargeDatabase(file)
  })

  after(async () => {
    await db.close()
  })

  it('has checksums from several threads that are those of one', async () => {
    const elsewhere = {all: () => Promise.reject(new Error('not by a thread')), file}
    const digests = await digestTables(elsewhere, FORMAT_VERSION)
    expect([...digests.keys()]).to.have.members([...TABLE_NAMES])
    for (const [name, digest] of digests)
      expect(digest, name).to.deep.equal(await digestTable(db, name, FORMAT_VERSION))
  })

  it('is given up when the user stops it', async () => {
    const interruption = new AbortController()
    const digests = digestTables(db, FORMAT_VERSION, interruption.signal)
    setTimeout(() => interruption.abort(), 10)
    const error = await digests.catch((error_: unknown) => error_)
    expect(error).to.have.property('name', 'AbortError')
  })

  it('has them all the same where no thread can read it', async () => {
    const garbage = join(temporaryFolder(), 'garbage')
    writeFileSync(garbage, Buffer.alloc(70 * MIB, 'no database'))
    const digests = await digestTables({all: (...query) => db.all(...query), file: garbage}, FORMAT_VERSION)
    expect(digests.get('embeddings_queue')).to.deep.equal(
      await digestTable(db, 'embeddings_queue', FORMAT_VERSION),
    )
  })
})
