import {expect} from 'chai'
import {join} from 'node:path'

import {createDatabase, openCommitted} from '../../../core/src/sqlite/create.js'
import {temporaryFolder} from '../../support/fixtures.js'

/** Much more than the cache of a connection holds, so that SQLite writes it to the file before it is committed. */
const BYTES = 8 << 20

describe('a database that is being made', () => {
  it('can be read as far as it is committed, while more is added to its end', async () => {
    const db = await createDatabase(join(temporaryFolder(), 'made.sqlite3'))
    await db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF')
    await db.exec('CREATE TABLE a (value TEXT); CREATE TABLE b (value BLOB)')
    await db.run(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                  INSERT INTO a SELECT 'value ' || i FROM n`)
    await db.exec('BEGIN')
    await db.run('INSERT INTO b VALUES (zeroblob(?))', [BYTES])

    const committed = await openCommitted(db)
    expect(await committed.get('SELECT COUNT(*) AS n, MAX(rowid) AS last FROM a')).to.deep.equal({
      n: 5000,
      last: 5000,
    })
    expect(await committed.get('SELECT COUNT(*) AS n FROM b')).to.deep.equal({n: 0})
    await db.run('INSERT INTO b VALUES (zeroblob(?))', [BYTES])
    expect(await committed.get(`SELECT value FROM a WHERE rowid = 4321`)).to.deep.equal({value: 'value 4321'})
    await committed.close()

    await db.exec('COMMIT')
    expect(await db.get('SELECT SUM(length(value)) AS bytes FROM b')).to.deep.equal({bytes: 2 * BYTES})
    expect(await db.all('PRAGMA integrity_check')).to.deep.equal([{integrity_check: 'ok'}])
    await db.close()
  })
})
