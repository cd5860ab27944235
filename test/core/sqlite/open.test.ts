import {expect} from 'chai'
import {spawn, spawnSync} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {transaction} from '../../../core/src/sqlite/database.js'
import {openDatabase} from '../../../core/src/sqlite/open.js'
import {temporaryFolder, unpackFixture} from '../../support/fixtures.js'
import {copyDatabase, DRIVERS, failure, killedWriter, skipWithout, snapshot} from './support.js'

const fixture = join(unpackFixture('chroma-0.6.3').persistDir, 'chroma.sqlite3')
const root = fileURLToPath(new URL('../../../', import.meta.url))
const MODES = ['read', 'write'] as const
const NOISE = randomBytes(8192)

function snapshotOf(file: string): unknown {
  return statSync(file).isFile() ? snapshot(dirname(file)) : readdirSync(dirname(file))
}

/** How many files this process has open; 0 where the system does not tell. */
function openDescriptors(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}

for (const driver of DRIVERS) {
  describe(`opening a database (${driver})`, () => {
    before(function () {
      skipWithout(driver, this)
    })

    const script = `
    import {openDatabase} from '${new URL('../../../core/src/sqlite/open.ts', import.meta.url).href}'
    const [file, lock] = process.argv.slice(1)
    const db = await openDatabase(file, {busyTimeout: 0, driver: '${driver}', mode: 'write'})
    await db.exec('BEGIN ' + lock).then(() => console.log('locked'), (error) => console.log(error.kind))
    process.stdin.resume()`
    const command = ['--import', 'tsx', '--input-type=module', '-e', script]

    for (const mode of MODES) {
      describe(`to ${mode}`, () => {
        it('sets the connection up for data that a stranger may have made', async () => {
          const db = await openDatabase(copyDatabase(fixture, []), {busyTimeout: 123, driver, mode})
          const settings = ['foreign_keys', 'trusted_schema', 'cell_size_check', 'mmap_size', 'busy_timeout']
          const values = await Promise.all(
            settings.map(async (name) => Object.values((await db.get(`PRAGMA ${name}`)) ?? {})[0] as unknown),
          )
          expect(values).to.deep.equal([0, 0, 1, 0, 123])
          expect(db.driver).to.equal(driver)
          expect(db.source).to.equal('direct')
          await db.close()
        })

        it('takes any name, through a symbolic link too, and reports it as it was given', async () => {
          const folder = join(temporaryFolder(), 'a b#c?mode=rwc%41+é')
          mkdirSync(folder)
          const real = join(folder, 'file:x?y.sqlite3')
          copyFileSync(fixture, real)
          const link = join(folder, 'link')
          symlinkSync(real, link)
          for (const file of [real, link]) {
            const db = await openDatabase(file, {driver, mode})
            expect(db.file).to.equal(file)
            expect(await db.get('SELECT count(*) AS n FROM tenants'))
              .to.have.property('n')
              .greaterThan(0)
            await db.close()
          }

          expect(readdirSync(folder)).to.have.members(['file:x?y.sqlite3', 'link'])
        })

        it('creates nothing where there is no file', async () => {
          const folder = temporaryFolder()
          const file = join(folder, 'chroma.sqlite3')
          const error = await failure('not-found', () => openDatabase(file, {driver, mode}))
          expect(error.message).to.equal(`${file} does not exist.`)
          expect(error.file).to.equal(file)
          expect(readdirSync(folder)).to.deep.equal([])
        })

        const wrong: [what: string, make: (file: string) => void, complaint: string][] = [
          [
            'noise',
            (file) => writeFileSync(file, NOISE),
            `: its first 16 bytes are ${NOISE.toString('hex', 0, 16)}.`,
          ],
          ['an empty file', (file) => writeFileSync(file, ''), ': it is empty.'],
          [
            '99 bytes of a database',
            (file) => writeFileSync(file, readFileSync(fixture).subarray(0, 99)),
            ': it has only 99 bytes.',
          ],
          ['a folder', (file) => mkdirSync(file), ': it is a folder.'],
          ['a pipe', (file) => spawnSync('mkfifo', [file]), ': it is not a regular file.'],
          [
            'a header without sense',
            (file) => writeFileSync(file, 'SQLite format 3\0'.padEnd(4096, 'x')),
            ', or is encrypted.',
          ],
        ]
        for (const [what, make, complaint] of wrong) {
          it(`refuses ${what} and leaves it alone`, async () => {
            const file = join(temporaryFolder(), 'chroma.sqlite3')
            make(file)
            const before = snapshotOf(file)
            const error = await failure('damaged', () => openDatabase(file, {driver, mode}))
            expect(error.message).to.equal(`${file} is not an SQLite database${complaint}`)
            expect(error.next).to.equal('Restore it from a backup.')
            expect(snapshotOf(file)).to.deep.equal(before)
          })
        }

        it('does not wait for a journal that is a pipe', async () => {
          const file = copyDatabase(fixture, [])
          spawnSync('mkfifo', [`${file}-journal`])
          const error = await failure('damaged', () => openDatabase(file, {driver, mode}))
          expect(error.message).to.equal(`${realpathSync(file)}-journal is not a regular file.`)
        })

        it('says that a file is damaged when pages of it are gone', async () => {
          const file = copyDatabase(fixture, [])
          truncateSync(file, 3 * 4096)
          const error = await failure('damaged', async () => {
            const db = await openDatabase(file, {driver, mode})
            await db.all('SELECT * FROM embeddings').finally(() => db.close())
          })
          expect(error.message).to.equal(`${file} is damaged: database disk image is malformed.`)
          expect(error.next).to.equal('Restore the file from a backup.')
        })

        it('waits no longer than asked for another process that holds the lock', async () => {
          const file = copyDatabase(fixture, [])
          const other = spawn(process.execPath, [...command, file, 'EXCLUSIVE'], {cwd: root})
          try {
            await once(other.stdout, 'data')
            const start = performance.now()
            const error = await failure('in-use', () => openDatabase(file, {busyTimeout: 100, driver, mode}))
            expect(performance.now() - start).to.be.within(90, 1000)
            expect(error.message).to.equal(`${file} is locked by another process.`)
          } finally {
            other.kill('SIGKILL')
            await once(other, 'close')
          }

          const db = await openDatabase(file, {driver, mode})
          await db.close()
        })
      })
    }

    it('leaves the lock to a transaction of this process when the file is opened once more', async () => {
      const file = copyDatabase(fixture, [])
      const writer = await openDatabase(file, {driver, mode: 'write'})
      await transaction(writer, 'IMMEDIATE', async () => {
        const reader = await openDatabase(file, {driver, mode: 'read'})
        await reader.close()
        const {stdout} = spawnSync(process.execPath, [...command, file, 'IMMEDIATE'], {
          cwd: root,
          encoding: 'utf8',
        })
        expect(stdout.trim()).to.equal('in-use')
      })
      const before = openDescriptors()
      await writer.close()
      // The database itself, and what was kept open beside it.
      expect(openDescriptors()).to.be.at.most(before)
    })

    it('writes to the tables of Chroma whose foreign keys lead nowhere', async () => {
      const db = await openDatabase(copyDatabase(fixture, []), {driver, mode: 'write'})
      const {changes} = await db.run('UPDATE segments SET collection = collection')
      expect(changes).to.be.greaterThan(0)
      await db.close()
    })

    it('can repair the shadow tables of the full-text index', async () => {
      const db = await openDatabase(copyDatabase(fixture, []), {driver, mode: 'write'})
      const {changes} = await db.run('UPDATE embedding_fulltext_search_content SET c0 = c0')
      expect(changes).to.be.greaterThan(0)
      await db.close()
    })

    it('rolls a hot journal back at once when it may write', async () => {
      const file = await killedWriter(copyDatabase(fixture, []), driver)
      const db = await openDatabase(file, {driver, mode: 'write'})
      expect(db.source).to.equal('direct')
      expect(readdirSync(dirname(file))).to.deep.equal(['chroma.sqlite3'])
      expect(await db.all('SELECT DISTINCT state FROM item')).to.deep.equal([{state: 'old'}])
      await db.close()
    })

    it('says that there is no room left, and keeps what was there', async () => {
      const file = copyDatabase(fixture, [])
      const db = await openDatabase(file, {driver, mode: 'write'})
      await db.exec('PRAGMA max_page_count = 1')
      const before = await db.get('SELECT count(*) AS n FROM migrations')
      const error = await failure('damaged', () =>
        transaction(db, 'IMMEDIATE', () => db.run('CREATE TABLE more AS SELECT * FROM embedding_metadata')),
      )
      expect(error.message).to.equal(`There is no room left to write ${file}: database or disk is full.`)
      expect(await db.get('SELECT count(*) AS n FROM migrations')).to.deep.equal(before)
      await db.close()
    })
  })
}
