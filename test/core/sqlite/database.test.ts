import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {type Database, keysetPages, type SqlValue, transaction} from '../../../core/src/sqlite/database.js'
import {sqliteError} from '../../../core/src/sqlite/errors.js'
import {nodeSqliteSupport} from '../../../core/src/sqlite/node-sqlite.js'
import {openDatabase, type OpenedDatabase} from '../../../core/src/sqlite/open.js'
import {unpackFixture} from '../../support/fixtures.js'
import {copyDatabase, DRIVERS, failure, skipWithout} from './support.js'

const fixture = unpackFixture('chroma-1.5.9')
/** As `node:sqlite` throws it. */
const DISK_ERROR = Object.assign(new Error('disk I/O error'), {code: 'ERR_SQLITE_ERROR', errcode: 778})
const OPEN_URL = new URL('../../../core/src/sqlite/open.ts', import.meta.url).href

function run(code: string, env: Record<string, string>): {stderr: string; stdout: string} {
  const script = `import {openDatabase} from ${JSON.stringify(OPEN_URL)}\n${code}`
  return spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('../../../', import.meta.url)),
    encoding: 'utf8',
    env: {...process.env, ...env},
  })
}

for (const driver of DRIVERS) {
  describe(`a database connection (${driver})`, () => {
    let db: OpenedDatabase
    let file: string

    before(function () {
      skipWithout(driver, this)
    })

    beforeEach(async () => {
      file = copyDatabase(join(fixture.persistDir, 'chroma.sqlite3'), [])
      db = await openDatabase(file, {driver, mode: 'write'})
    })

    afterEach(() => db.close())

    async function keys(
      query: {after?: number; ahead?: boolean; params?: SqlValue[]; where?: string},
      pageSize: number,
    ): Promise<number[][]> {
      const pages: number[][] = []
      for await (const page of keysetPages<{key: number}>(db, {
        columns: 'key',
        from: 'big',
        key: 'big.key',
        pageSize,
        ...query,
      })) {
        pages.push(page.map(({key}) => key))
      }

      return pages
    }

    describe('values', () => {
      const values: [string, SqlValue, string][] = [
        ['an integer', 5, 'integer'],
        ['an integer of more than 32 bits', 2 ** 40 + 1, 'integer'],
        ['the smallest 64-bit integer', -(2n ** 63n), 'integer'],
        ['the largest 64-bit integer', 2n ** 63n - 1n, 'integer'],
        ['a small bigint', 7n, 'integer'],
        ['a fraction', 0.1, 'real'],
        ['a fraction beyond the integers', 1e300, 'real'],
        ['text', 'naïve 🦜 text?', 'text'],
        ['empty text', '', 'text'],
        ['bytes', new Uint8Array([0, 1, 255]), 'blob'],
        ['no bytes', new Uint8Array(0), 'blob'],
        ['part of a bigger buffer', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), 'blob'],
        ['null', null, 'null'],
      ]
      for (const [what, value, type] of values) {
        it(`stores ${what} as ${type} in a column without affinity and reads it back`, async () => {
          await db.exec('CREATE TABLE plain (position, value BLOB)')
          await db.run(`INSERT INTO plain /* ? */ VALUES (?, ?)`, [1, value])
          const row = await db.get<{position: number; text: string; type: string; value: SqlValue}>(
            `SELECT position, typeof(value) AS type, CAST(value AS TEXT) AS text,
             iif(typeof(value) = 'integer' AND abs(value / 2) > 1 << 52, NULL, value) AS value
           FROM plain WHERE value IS ? AND '?' <> ''`,
            [value],
          )

          expect(row?.type).to.equal(type)
          expect(row?.position).to.equal(1)
          if (type === 'integer') expect(row?.text).to.equal(String(value))
          else if (value instanceof Uint8Array)
            expect(Buffer.from(row?.value as Uint8Array)).to.deep.equal(Buffer.from(value))
          else expect(row?.value).to.equal(value)
        })
      }

      it('reads text whole that holds a NUL character', async () => {
        const row = await db.get('SELECT ? AS bound, char(97, 0, 98) AS made', ['a\0b'])
        expect(row).to.deep.equal({bound: 'a\0b', made: 'a\0b'})
      })

      it('refuses an integer that a number cannot hold, also beside reals of that size', async () => {
        const sql = `SELECT 1e18 AS "a ""real""", column1 AS seq_id FROM (VALUES (1), (9007199254740993))`
        for (const read of [() => db.all(sql), () => db.get(`${sql} -- newest\n ORDER BY 2 DESC`)]) {
          const error = await failure('damaged', read)
          expect(error.message).to.equal(
            `${file} holds an integer beyond 2^53 where Chroma never writes one.`,
          )
        }

        expect(
          await db.all(`SELECT CAST(seq_id AS TEXT) AS seq_id FROM (${sql}) WHERE seq_id > ?`, [2 ** 40]),
        ).to.deep.equal([{seq_id: '9007199254740993'}])
      })

      it('reads reals beyond 2^53 and the largest safe integers', async () => {
        expect(
          await db.all('SELECT 1e18 AS a, -1e300 AS b, 9007199254740991 AS c, -9007199254740991 AS d'),
        ).to.deep.equal([{a: 1e18, b: -1e300, c: Number.MAX_SAFE_INTEGER, d: Number.MIN_SAFE_INTEGER}])
      })
    })

    it('reads what Chroma wrote', async () => {
      const {expected} = fixture
      const rows = await db.all<{name: string}>('SELECT name FROM collections')
      expect(rows.map(({name}) => name)).to.have.members(expected.collections.map(({name}) => name))
    })

    it('counts changes, and answers a missing row with undefined', async () => {
      expect(
        await db.run('DELETE FROM migrations WHERE dir = ? AND version < ?', ['sysdb', 4]),
      ).to.deep.equal({
        changes: 3,
      })
      expect(await db.get('SELECT 1 FROM migrations WHERE dir = ? AND version = ?', ['sysdb', 1])).to.equal(
        undefined,
      )
    })

    it('sees a new column with a statement it has run before', async () => {
      await db.exec('CREATE TABLE grown (a); INSERT INTO grown VALUES (1)')
      const sql = 'SELECT * FROM grown'
      expect(await db.all(sql)).to.deep.equal([{a: 1}])
      await db.exec('ALTER TABLE grown ADD COLUMN b DEFAULT 2')
      expect(await db.all(sql)).to.deep.equal([{a: 1, b: 2}])
    })

    it('keeps no lock after reading the first row of many', async () => {
      await db.get('SELECT id FROM embeddings')
      const other = await openDatabase(file, {busyTimeout: 0, driver, mode: 'write'})
      await transaction(other, 'EXCLUSIVE', async () => {})
      await other.close()
    })

    it('answers calls made side by side, and closes after them', async () => {
      const sql = 'SELECT ? AS n'
      const answers = Promise.all(Array.from({length: 100}, (_, n) => db.all<{n: number}>(sql, [n])))
      const closed = db.close()
      expect((await answers).flat().map(({n}) => n)).to.deep.equal(Array.from({length: 100}, (_, n) => n))
      await closed
      await db.close()
    })

    it('lets timers through while calls follow each other', async () => {
      let turns = 0
      const timer = setInterval(() => turns++, 10)
      const end = Date.now() + 200
      while (Date.now() < end) await db.get('SELECT 1')
      clearInterval(timer)
      expect(turns).to.be.greaterThan(3)
    })

    describe('errors', () => {
      const missing: [what: string, sql: string, complaint: string][] = [
        ['table', 'SELECT * FROM nonsense', 'The table nonsense is missing from'],
        ['column', 'SELECT nonsense FROM collections', 'The column nonsense is missing from'],
      ]
      for (const [what, sql, complaint] of missing) {
        it(`names a missing ${what} and the file`, async () => {
          for (const call of [() => db.all(sql), () => db.get(sql), () => db.run(sql), () => db.exec(sql)]) {
            const error = await failure('damaged', call)
            expect(error.message).to.equal(`${complaint} ${file}.`)
            expect(error.file).to.equal(file)
            expect(error.cause).to.be.instanceOf(Error)
          }
        })
      }

      const broken: [what: string, sql: string, sentence: (file: string) => string][] = [
        [
          'without its settings',
          'DROP TABLE embedding_fulltext_search_config',
          (file) => `${file} is damaged: vtable constructor failed: embedding_fulltext_search.`,
        ],
        [
          'without its index',
          'DROP TABLE embedding_fulltext_search_data',
          (file) =>
            `${file} is damaged: fts5: corruption found reading blob 10 from table "embedding_fulltext_search".`,
        ],
        [
          'without its documents',
          'DROP TABLE embedding_fulltext_search_content',
          (file) => `The table embedding_fulltext_search_content is missing from ${file}.`,
        ],
        [
          'of another version',
          'UPDATE embedding_fulltext_search_config SET v = 9',
          (file) =>
            `${file} is damaged: invalid fts5 file format (found 9, expected 4 or 5) - run 'rebuild'.`,
        ],
      ]
      for (const [what, sql, sentence] of broken) {
        it(`says what is wrong with a full-text index ${what}`, async () => {
          await db.exec(sql)
          await db.close()
          db = await openDatabase(file, {driver, mode: 'read'})
          const error = await failure('damaged', () => db.all('SELECT * FROM embedding_fulltext_search'))
          expect(error.message).to.equal(sentence(file))
        })
      }

      it('passes mistakes in the SQL on as they are', async () => {
        for (const sql of ['SELEC 1', 'INSERT INTO tenants (id) VALUES (NULL), (1), (1)']) {
          const error: unknown = await db.run(sql).catch((error_: unknown) => error_)
          expect(error).to.be.instanceOf(Error)
          expect((error as Error).name).to.equal('Error')
        }
      })

      it('says that another connection holds the lock', async () => {
        const other = await openDatabase(file, {busyTimeout: 0, driver, mode: 'write'})
        await transaction(db, 'IMMEDIATE', async () => {
          const error = await failure('in-use', () => transaction(other, 'IMMEDIATE', async () => {}))
          expect(error.message).to.equal(`${file} is locked by another process.`)
        })
        await transaction(other, 'IMMEDIATE', async () => {})
        await other.close()
      })
    })

    describe('transaction', () => {
      it('commits what it did and returns the result', async () => {
        expect(
          await transaction(db, 'IMMEDIATE', async () => db.run(`INSERT INTO tenants (id) VALUES ('t')`)),
        ).to.deep.equal({
          changes: 1,
        })
        await failure('in-use', async () => {
          await transaction(db, 'EXCLUSIVE', () => openDatabase(file, {busyTimeout: 0, driver, mode: 'read'}))
        })
        expect(await db.get(`SELECT id FROM tenants WHERE id = 't'`)).to.deep.equal({id: 't'})
      })

      it('takes everything back and throws the very error, even when SQLite has rolled back by itself', async () => {
        const error = new Error('mine')
        for (const before of ['SELECT 1', 'ROLLBACK']) {
          const thrown: unknown = await transaction(db, 'IMMEDIATE', async () => {
            await db.run(`INSERT INTO tenants (id) VALUES ('t')`)
            await db.exec(before)
            throw error
          }).catch((error_: unknown) => error_)
          expect(thrown).to.equal(error)
          expect(await db.get(`SELECT id FROM tenants WHERE id = 't'`)).to.equal(undefined)
        }
      })

      it('leaves no transaction open when the disk fails once it has begun', async () => {
        const failing = Object.create(db as Database, {
          exec: {
            async value(sql: string) {
              await db.exec(sql)
              if (sql.startsWith('BEGIN')) throw sqliteError(DISK_ERROR, file)
            },
          },
        }) as Database
        const error = await failure('damaged', () => transaction(failing, 'IMMEDIATE', async () => {}))
        expect(error.message).to.contain('disk I/O error')
        await transaction(db, 'IMMEDIATE', async () => {})
      })

      it('leaves the transaction of its caller alone when it is called inside of one', async () => {
        await transaction(db, 'IMMEDIATE', async () => {
          const inner: unknown = await transaction(db, 'IMMEDIATE', async () => {}).catch(
            (error: unknown) => error,
          )
          expect(inner).to.be.instanceOf(Error)
          await db.run(`INSERT INTO tenants (id) VALUES ('t')`)
        })
        expect(await db.get(`SELECT id FROM tenants WHERE id = 't'`)).to.deep.equal({id: 't'})
      })
    })

    describe('keysetPages', () => {
      beforeEach(() =>
        db.exec(`
        CREATE TABLE big (key INTEGER PRIMARY KEY, kind TEXT);
        WITH RECURSIVE n(i) AS (SELECT -2 UNION ALL SELECT i + 3 FROM n LIMIT 10)
        INSERT INTO big SELECT i, iif(i % 2, 'odd', 'even') FROM n;
      `),
      )

      it('reads every row once, in key order, whatever the page size', async () => {
        expect(await keys({}, 4)).to.deep.equal([
          [-2, 1, 4, 7],
          [10, 13, 16, 19],
          [22, 25],
        ])
        for (const pageSize of [1, 5, 10, 100]) {
          expect((await keys({}, pageSize)).flat()).to.deep.equal([-2, 1, 4, 7, 10, 13, 16, 19, 22, 25])
        }
      })

      it('starts after a key and keeps to a condition', async () => {
        const where = {params: ['odd'], where: 'kind = ? OR key = 22'}
        expect(await keys({after: 1, ...where}, 2)).to.deep.equal([[7, 13], [19, 22], [25]])
      })

      it('reads nothing ahead of the caller', async () => {
        const pages = keysetPages<{key: number}>(db, {columns: 'key', from: 'big', key: 'key', pageSize: 3})
        await pages.next()
        await db.run('UPDATE big SET key = 1000 WHERE key = 25')
        const seen: number[] = []
        for await (const page of pages) seen.push(...page.map(({key}) => key))
        expect(seen).to.deep.equal([7, 10, 13, 16, 19, 22, 1000])
      })

      it('gives the same pages when it is told to read ahead, and stops with the caller', async () => {
        expect(await keys({ahead: true}, 4)).to.deep.equal(await keys({}, 4))
        const query = {ahead: true, columns: 'key', from: 'big', key: 'key', pageSize: 2}
        const pages = keysetPages<{key: number}>(db, query)
        await pages.next()
        await pages.return([])
        await db.exec('DROP TABLE big')
      })

      it('takes a text as the key, in the order of its bytes', async () => {
        await db.exec(`
          CREATE TABLE words (word TEXT PRIMARY KEY);
          INSERT INTO words VALUES ('\u{FFFD}'), ('\u{1F99C}'), (''), ('a'), ('B');
        `)
        const seen: string[] = []
        const query = {ahead: true, columns: 'word', from: 'words', key: 'word', pageSize: 1}
        for await (const page of keysetPages<{word: string}>(db, query)) {
          seen.push(...page.map(({word}) => word))
        }

        expect(seen).to.deep.equal(['', 'B', 'a', '\u{FFFD}', '\u{1F99C}'])
      })

      it('ends with an error when keys do not ascend', async () => {
        const repeating = {...db, all: async () => [{key: 3}, {key: 2}]} as unknown as OpenedDatabase
        const error = await failure('damaged', async () => {
          for await (const page of keysetPages(repeating, {
            columns: 'key',
            from: 'big',
            key: 'key',
            pageSize: 2,
          })) {
            expect(page).to.have.length(2)
          }
        })
        expect(error.message).to.equal('The keys of big are out of order.')
      })
    })
  })
}

describe('loading the drivers', () => {
  it('hides the warning of node:sqlite, and no other', function () {
    if (nodeSqliteSupport() === 'none') this.skip()
    const file = join(fixture.persistDir, 'chroma.sqlite3')
    const {stderr, stdout} = run(
      `const db = await openDatabase(${JSON.stringify(file)}, {mode: 'read'})
       process.emitWarning('something else', 'ExperimentalWarning')
       console.log(db.driver)
       await db.close()`,
      {CHOPS_SQLITE: 'node:sqlite'},
    )
    expect(stdout.trim()).to.equal('node:sqlite')
    expect(stderr).to.include('ExperimentalWarning: something else')
    expect(stderr).not.to.include('SQLite is an experimental feature')
  })

  it('says how to install a native module that does not load', () => {
    const loader = `export const resolve = (name, context, next) => {
      if (name === 'sqlite3') throw new Error('Could not locate the bindings file')
      return next(name, context)
    }`
    const {stderr, stdout} = run(
      `import {register} from 'node:module'
       register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(loader)}))
       await openDatabase('package.json', {driver: 'sqlite3', mode: 'read'}).catch(() => {})
       const {connect} = await import(${JSON.stringify(OPEN_URL.replace('open.ts', 'connect.ts'))})
       const options = {access: 'read', busyTimeout: 0, driver: 'sqlite3', file: 'package.json', path: process.cwd() + '/package.json'}
       await connect(options).catch((error) => console.log(error.kind, error.message, error.next))`,
      {},
    )
    expect(stdout.trim(), stderr).to.equal(
      'usage The native module of the "sqlite3" package is not installed. Run "npm rebuild sqlite3" where chops is ' +
        'installed, or use Node 22.16 or newer, which brings SQLite itself.',
    )
  })

  it('refuses a driver that it does not know', async () => {
    const before = process.env.CHOPS_SQLITE
    process.env.CHOPS_SQLITE = 'better-sqlite3'
    try {
      const error = await failure('usage', () => openDatabase('chroma.sqlite3', {mode: 'read'}))
      expect(error.message).to.equal('CHOPS_SQLITE is "better-sqlite3", which is no driver.')
    } finally {
      if (before === undefined) delete process.env.CHOPS_SQLITE
      else process.env.CHOPS_SQLITE = before
    }
  })
})
