import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {readFileSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {alarmsOf, check, copyOfFixture} from './support.js'

const OPEN = new URL('../../core/dist/sqlite/open.js', import.meta.url).href

/** Another process, for SQLite tells a connection what others have committed. Says whether it could commit. */
function commitElsewhere(persistDir: string, sql: string): boolean {
  const program = `
    const {openDatabase} = await import(${JSON.stringify(OPEN)})
    const db = await openDatabase(process.argv[1], {busyTimeout: 100, mode: 'write'})
    await db.exec(process.argv[2])
    await db.close()`
  const args = ['--input-type=module', '-e', program, join(persistDir, 'chroma.sqlite3'), sql]
  const {status, stderr} = spawnSync(process.execPath, args, {encoding: 'utf8'})
  if (status !== 0 && !stderr.includes('SQLITE_BUSY') && !stderr.includes('database is locked'))
    throw new Error(stderr)
  return status === 0
}

/** Looks like lost vectors, and like a log that begins anew. */
const TAKE = 'CREATE TABLE kept AS SELECT * FROM embeddings_queue; DELETE FROM embeddings_queue'
const PUT_BACK = 'INSERT INTO embeddings_queue SELECT * FROM kept; DROP TABLE kept'
const TOUCH = 'UPDATE collections SET name = name'

/** Checks a directory to which a statement is committed when the check begins with a step, the first time it does. */
async function checkWhile(persistDir: string, statements: Record<string, string>) {
  const left = new Map(Object.entries(statements))
  const seen: string[] = []
  const committed: boolean[] = []
  const found = await check(persistDir, {
    onStep(step, done) {
      if (step === 'sqlite' && done === 0) seen.push(step)
      const key = `${step} ${seen.length}`
      const sql = left.get(key)
      if (sql === undefined) return
      left.delete(key)
      committed.push(commitElsewhere(persistDir, sql))
    },
  })
  return {alarms: alarmsOf(found), committed, found, runs: seen.length}
}

describe('a directory that is written to while it is checked', () => {
  it('is checked again where something is wrong, and was wrong for a moment only', async () => {
    const {alarms, committed, runs} = await checkWhile(copyOfFixture('chroma-1.5.9'), {
      'sqlite 1': TAKE,
      'index 1': PUT_BACK,
    })
    expect(committed).to.deep.equal([true, true])
    expect(alarms).to.deep.equal([])
    expect(runs).to.equal(2)
  })

  it('is not checked again where nothing is wrong', async () => {
    const {alarms, runs} = await checkWhile(copyOfFixture('chroma-1.5.9'), {'sqlite 1': TOUCH})
    expect(alarms).to.deep.equal([])
    expect(runs).to.equal(1)
  })

  it('has what is still wrong, for which nobody can commit while it is looked at again', async () => {
    const {alarms, committed, found, runs} = await checkWhile(copyOfFixture('chroma-1.5.9'), {
      'sqlite 1': TAKE,
      'sqlite 2': PUT_BACK,
    })
    expect(committed).to.deep.equal([true, false])
    expect(runs).to.equal(2)
    expect(alarms).to.include('X1').and.not.to.include('P1')
    expect(found.healthy).to.equal(false)
  })

  it('is checked again after a transaction that is under way, for its index may be there before it', async () => {
    const persistDir = copyOfFixture('chroma-0.6.3')
    const file = join((await locate(persistDir, 'churned')).folder, 'data_level0.bin')
    const sound = readFileSync(file)
    let runs = 0
    await withDatabase(persistDir, async (writer) => {
      await writer.exec(`BEGIN IMMEDIATE; ${TOUCH}`)
      truncateSync(file, 100)
      const checking = check(persistDir, {
        onStep(step, done) {
          if (step === 'sqlite' && done === 0) runs += 1
        },
      })
      await sleep(1000)
      writeFileSync(file, sound)
      await writer.exec('COMMIT')
      expect(alarmsOf(await checking)).to.deep.equal([])
      expect(runs).to.equal(2)
    })
  })

  it('is not taken for one that is written to for a journal that a killed process left', async () => {
    const persistDir = copyOfFixture('chroma-0.6.3')
    // Without a magic number SQLite takes no notice of it.
    writeFileSync(join(persistDir, 'chroma.sqlite3-journal'), Buffer.alloc(512))
    truncateSync(join((await locate(persistDir, 'churned')).folder, 'data_level0.bin'), 100)
    const found = await check(persistDir)
    expect(alarmsOf(found)).to.include('H5').and.not.to.include('P1')
  })
})
