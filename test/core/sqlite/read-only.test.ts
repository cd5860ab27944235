import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {DriverName} from '../../../core/src/sqlite/database.js'

import {connect} from '../../../core/src/sqlite/connect.js'
import {transaction} from '../../../core/src/sqlite/database.js'
import {openDatabase, type OpenedDatabase} from '../../../core/src/sqlite/open.js'
import {temporaryFolder, unpackFixture} from '../../support/fixtures.js'
import {copyDatabase, DRIVERS, failure, killedWriter, skipWithout, snapshot} from './support.js'

const fixture = join(unpackFixture('chroma-1.0.16').persistDir, 'chroma.sqlite3')
const root = fileURLToPath(new URL('../../../', import.meta.url))
const STATES = 'SELECT state, count(*) AS rows FROM item GROUP BY state'

function mount(...args: string[]): boolean {
  return process.platform === 'linux' && spawnSync('mount', args).status === 0
}

function script(code: string, uid?: number): {status: number | null; stderr: string; stdout: string} {
  const open = new URL('../../../core/src/sqlite/open.ts', import.meta.url).href
  return spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', `import {openDatabase} from '${open}'\n${code}`],
    {
      cwd: root,
      encoding: 'utf8',
      env: {...process.env, TSX_DISABLE_CACHE: '1'},
      ...(uid && {gid: uid, uid}),
    },
  )
}

/** Opens and reads a database, and fails the test if that changed anything beside it. */
async function readUntouched<R>(
  driver: DriverName,
  file: string,
  read: (db: OpenedDatabase) => Promise<R>,
): Promise<R> {
  const before = snapshot(dirname(file))
  const db = await openDatabase(file, {driver, mode: 'read'})
  try {
    return await read(db)
  } finally {
    expect(snapshot(dirname(file)), 'while it is open').to.deep.equal(before)
    await db.close()
    expect(snapshot(dirname(file)), 'after it was closed').to.deep.equal(before)
  }
}

async function walDatabase(driver: DriverName): Promise<{file: string; writer: OpenedDatabase}> {
  const file = copyDatabase(fixture, [])
  const writer = await openDatabase(file, {driver, mode: 'write'})
  await writer.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE item (state TEXT);
    PRAGMA wal_checkpoint(TRUNCATE);
    INSERT INTO item VALUES ('logged');
  `)
  return {file, writer}
}

for (const driver of DRIVERS) {
  describe(`opening a database for reading (${driver})`, () => {
    let killed: string
    let temporary: string
    let tmpdirBefore: string | undefined

    before(async function () {
      skipWithout(driver, this)
      killed = await killedWriter(copyDatabase(fixture, []), driver)
    })

    beforeEach(() => {
      tmpdirBefore = process.env.TMPDIR
      temporary = temporaryFolder()
      process.env.TMPDIR = temporary
    })

    afterEach(() => {
      expect(readdirSync(temporary), 'left behind').to.deep.equal([])
      if (tmpdirBefore === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = tmpdirBefore
    })

    it('changes nothing in what old and new engines wrote', async () => {
      for (const name of ['chroma-0.4.24', 'chroma-0.6.3-then-1.5.9', 'chroma-1.5.9'] as const) {
        const file = join(unpackFixture(name).persistDir, 'chroma.sqlite3')
        await readUntouched(driver, file, async (db) => {
          expect(db.source).to.equal('direct')
          expect(await db.get('PRAGMA quick_check')).to.deep.equal({quick_check: 'ok'})
        })
      }
    })

    it('refuses to write', async () => {
      const file = copyDatabase(fixture, [])
      await readUntouched(driver, file, async (db) => {
        const error = await failure('damaged', () => db.run('DELETE FROM tenants'))
        expect(error.message).to.equal(`${file} cannot be written: attempt to write a readonly database.`)
      })
    })

    it('holds the shared lock, so that a writer waits until a transaction has read it all', async () => {
      const file = copyDatabase(fixture, [])
      const writer = await openDatabase(file, {busyTimeout: 0, driver, mode: 'write'})
      const insert = () => writer.run(`INSERT INTO tenants (id) VALUES ('late')`)
      const db = await openDatabase(file, {driver, mode: 'read'})
      await transaction(db, 'DEFERRED', async () => {
        await db.all('SELECT * FROM tenants')
        const error = await failure('in-use', () => transaction(writer, 'IMMEDIATE', insert))
        expect(error.message).to.equal(`${file} is locked by another process.`)
      })
      expect(await insert()).to.deep.equal({changes: 1})
      await db.close()
      await writer.close()
    })

    describe('beside a rollback journal', () => {
      it('recovers a copy when the writer was killed, and shows the state before it', async () => {
        const file = copyDatabase(killed, ['-journal'])
        const torn = await connect({access: 'immutable', busyTimeout: 0, driver, file, path: file})
        expect(await torn.all(STATES), 'the file alone holds half a transaction').to.have.length(2)
        await torn.close()

        await readUntouched(driver, file, async (db) => {
          expect(db.source).to.equal('recovered copy')
          expect(await db.all(STATES)).to.deep.equal([{rows: 2000, state: 'old'}])
          const write = () => db.run('DELETE FROM item')
          const error = await failure('damaged', write)
          expect(error.file).to.equal(file)

          const [folder, ...others] = readdirSync(temporary)
          expect(others).to.deep.equal([])
          expect(statSync(join(temporary, folder ?? '')).mode & 0o777).to.equal(0o700)
        })
      })

      it('follows a symbolic link to the journal of the real file', async () => {
        const file = copyDatabase(killed, ['-journal'])
        const link = join(temporaryFolder(), 'chroma.sqlite3')
        symlinkSync(file, link)
        const db = await openDatabase(link, {driver, mode: 'read'})
        expect(db.source).to.equal('recovered copy')
        await db.close()
      })

      for (const [what, spoil] of [
        ['empty', (journal: string) => truncateSync(journal)],
        [
          'zeroed at its start, as PRAGMA journal_mode = PERSIST leaves it',
          (journal: string) => writeFileSync(journal, Buffer.alloc(28), {flag: 'r+'}),
        ],
      ] as const) {
        it(`reads the file itself when the journal is ${what}`, async () => {
          const file = copyDatabase(killed, ['-journal'])
          const database = copyDatabase(fixture, [])
          copyFileSync(`${file}-journal`, `${database}-journal`)
          spoil(`${database}-journal`)
          await readUntouched(driver, database, async (db) => {
            expect(db.source).to.equal('direct')
            expect(await db.get('SELECT count(*) AS n FROM collections'))
              .to.have.property('n')
              .greaterThan(0)
          })
        })
      }

      it('reads the file itself when the owner of the journal is alive', async () => {
        const file = copyDatabase(fixture, [])
        const writer = await openDatabase(file, {driver, mode: 'write'})
        await transaction(writer, 'IMMEDIATE', async () => {
          await writer.run(`INSERT INTO tenants (id) VALUES ('uncommitted')`)
          expect(statSync(`${file}-journal`).size).to.be.greaterThan(0)
          await readUntouched(driver, file, async (db) => {
            expect(db.source).to.equal('direct')
            expect(await db.get(`SELECT id FROM tenants WHERE id = 'uncommitted'`)).to.equal(undefined)
          })
        })
        await writer.close()
      })
    })

    describe('in WAL mode', () => {
      it('reads the file itself when there is no log, or an empty one', async () => {
        const {file, writer} = await walDatabase(driver)
        await writer.close()
        for (const prepare of [() => {}, () => writeFileSync(`${file}-wal`, '')]) {
          prepare()
          await readUntouched(driver, file, async (db) => {
            expect(db.source).to.equal('direct')
            expect(await db.all('SELECT state FROM item')).to.deep.equal([{state: 'logged'}])
          })
        }
      })

      it('reads a copy with the log that a killed writer left', async () => {
        const {file, writer} = await walDatabase(driver)
        const left = copyDatabase(file, ['-wal'])
        await writer.close()
        await readUntouched(driver, left, async (db) => {
          expect(db.source).to.equal('merged copy')
          expect(await db.all('SELECT state FROM item')).to.deep.equal([{state: 'logged'}])
        })
      })

      for (const [what, sql] of [
        ['', 'SELECT 1'],
        [' and whose log is empty', 'PRAGMA wal_checkpoint(TRUNCATE)'],
      ] as const) {
        it(`reads a copy beside a writer that is alive${what}, which cannot change it`, async () => {
          const {file, writer} = await walDatabase(driver)
          await writer.all(sql)
          const before = snapshot(dirname(file))
          const db = await openDatabase(file, {driver, mode: 'read'})
          expect(db.source).to.equal('merged copy')
          expect(snapshot(dirname(file))).to.deep.equal(before)

          expect(db.isCurrent()).to.equal(true)
          await writer.run(`UPDATE item SET state = 'later'`)
          await writer.all('PRAGMA wal_checkpoint(TRUNCATE)')
          expect(await db.all('SELECT state FROM item')).to.deep.equal([{state: 'logged'}])
          expect(db.isCurrent()).to.equal(false)
          await db.close()
          await writer.close()
        })
      }

      it('gives up on a log that never stays as it is', async () => {
        const {file, writer} = await walDatabase(driver)
        let tick = 0
        const options = {
          driver,
          mode: 'read',
          onProgress: () => utimesSync(`${file}-wal`, ++tick, tick),
        } as const
        const error = await failure('in-use', () => openDatabase(file, options))
        expect(error.message).to.equal(`Another process keeps writing to ${file}.`)
        await writer.close()
      })
    })

    describe('while it copies', () => {
      it('reports bytes, and stops when it is aborted', async () => {
        const file = copyDatabase(killed, ['-journal'])
        const total = statSync(file).size + statSync(`${file}-journal`).size
        const seen: [number, number][] = []
        const db = await openDatabase(file, {driver, mode: 'read', onProgress: (...step) => seen.push(step)})
        expect(seen.at(-1)).to.deep.equal([total, total])
        await db.close()

        const abort = new AbortController()
        const options = {driver, mode: 'read', onProgress: () => abort.abort(), signal: abort.signal} as const
        const error: unknown = await openDatabase(file, options).catch((error_: unknown) => error_)
        expect((error as Error).name).to.equal('AbortError')
      })

      it('says so when the copy does not fit', async function () {
        const small = temporaryFolder()
        if (!mount('-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small)) return this.skip()
        try {
          const file = copyDatabase(killed, ['-journal'])
          process.env.TMPDIR = small
          const error = await failure('damaged', () => openDatabase(file, {driver, mode: 'read'}))
          const needed = statSync(file).size + statSync(`${file}-journal`).size + 2 ** 20
          expect(error.message).to.equal(
            `${file} has unfinished writes, and the copy that it takes to read it (${(needed / 1e6).toFixed(1)} MB) ` +
              `does not fit into ${small}, where 0.3 MB are free.`,
          )
          expect(error.next).to.include('TMPDIR')
          expect(readdirSync(small)).to.deep.equal([])
        } finally {
          spawnSync('umount', [small])
        }
      })

      it('says so when there is no folder for temporary files', async () => {
        const file = copyDatabase(killed, ['-journal'])
        const missing = join(temporary, 'missing')
        process.env.TMPDIR = missing
        const error = await failure('damaged', () => openDatabase(file, {driver, mode: 'read'}))
        expect(error.message).to.equal(
          `${file} cannot be copied to ${missing} to read it: ENOENT: no such file or directory, statfs '${missing}'.`,
        )
      })

      it('removes the copy when the process exits without closing it', async () => {
        const file = copyDatabase(killed, ['-journal'])
        const {status, stdout} = script(
          `const db = await openDatabase(${JSON.stringify(file)}, {driver: '${driver}', mode: 'read'})
         console.log(db.source, (await import('node:fs')).readdirSync(process.env.TMPDIR).filter((name) => name.startsWith('chops-')).length)
         process.exit(7)`,
        )
        expect(stdout.trim()).to.equal('recovered copy 1')
        expect(status).to.equal(7)
      })
    })

    describe('without permission to write', () => {
      it('reads every kind of database on a read-only mount', async function () {
        const hot = copyDatabase(killed, ['-journal'])
        const {file: wal, writer} = await walDatabase(driver)
        const logged = copyDatabase(wal, ['-wal'])
        await writer.close()
        const readOnly = temporaryFolder()

        for (const [file, source] of [
          [copyDatabase(fixture, []), 'direct'],
          [hot, 'recovered copy'],
          [wal, 'direct'],
          [logged, 'merged copy'],
        ] as const) {
          if (!mount('-o', 'bind,ro', dirname(file), readOnly)) return this.skip()
          try {
            expect(() => writeFileSync(join(readOnly, 'probe'), '')).to.throw('EROFS')
            await readUntouched(driver, join(readOnly, 'chroma.sqlite3'), async (db) => {
              expect(db.source).to.equal(source)
              expect(await db.get('SELECT count(*) AS n FROM collections'))
                .to.have.property('n')
                .greaterThan(0)
            })
          } finally {
            spawnSync('umount', [readOnly])
          }
        }
      })

      it('reads a folder that belongs to root as another user, and says when a file is not to be read', async function () {
        if (process.getuid?.() !== 0) return this.skip()
        const shared = join(temporaryFolder(), 'shared')
        const folders = [copyDatabase(fixture, []), copyDatabase(killed, ['-journal'])].map((file, n) => {
          const folder = join(shared, String(n))
          mkdirSync(folder, {recursive: true})
          for (const suffix of ['', '-journal']) {
            if (existsSync(file + suffix))
              copyFileSync(file + suffix, join(folder, `chroma.sqlite3${suffix}`))
          }

          return folder
        })
        const secret = join(shared, 'secret')
        mkdirSync(secret)
        copyFileSync(fixture, join(secret, 'chroma.sqlite3'))
        chmodSync(join(secret, 'chroma.sqlite3'), 0o600)
        for (const above of [dirname(shared), dirname(dirname(shared))]) chmodSync(above, 0o711)
        chmodSync(temporary, 0o777)
        const before = folders.map((folder) => snapshot(folder))

        const {stderr, stdout} = script(
          `for (const folder of ${JSON.stringify([...folders, secret])}) {
           const opening = openDatabase(folder + '/chroma.sqlite3', {driver: '${driver}', mode: 'read'})
           const db = await opening.catch((error) => console.log(error.kind, error.message))
           if (!db) continue
           console.log(db.source, (await db.get('SELECT count(*) > 0 AS some FROM collections')).some)
           await db.close()
         }`,
          65_534,
        )
        if (stderr.includes('EACCES')) return this.skip()
        expect(stdout.trim().split('\n'), stderr).to.deep.equal([
          'direct 1',
          'recovered copy 1',
          `damaged ${join(secret, 'chroma.sqlite3')} cannot be read: permission denied.`,
        ])
        expect(folders.map((folder) => snapshot(folder))).to.deep.equal(before)
      })
    })
  })
}
