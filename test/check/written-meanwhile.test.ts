import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {join} from 'node:path'

import {alarmsOf, check, copyOfFixture} from './support.js'

const OPEN = new URL('../../core/dist/sqlite/open.js', import.meta.url).href

/** Another process, for SQLite tells a connection what others have committed. */
function commitElsewhere(persistDir: string, sql: string): void {
  const program = `
    const {openDatabase} = await import(${JSON.stringify(OPEN)})
    const db = await openDatabase(process.argv[1], {mode: 'write'})
    await db.exec(process.argv[2])
    await db.close()`
  const args = ['--input-type=module', '-e', program, join(persistDir, 'chroma.sqlite3'), sql]
  const {status, stderr} = spawnSync(process.execPath, args, {encoding: 'utf8'})
  if (status !== 0) throw new Error(stderr)
}

/** Looks like lost vectors, and like a log that begins anew. */
const TAKE = 'CREATE TABLE kept AS SELECT * FROM embeddings_queue; DELETE FROM embeddings_queue'
const PUT_BACK = 'INSERT INTO embeddings_queue SELECT * FROM kept; DROP TABLE kept'
const TOUCH = 'UPDATE collections SET name = name'

/** Checks a directory to which each statement is committed while it is read once more. */
async function checkWhile(persistDir: string, statements: string[]) {
  let runs = 0
  const found = await check(persistDir, {
    onStep(step, done) {
      if (step !== 'sqlite' || done !== 0) return
      const sql = statements[runs++]
      if (sql !== undefined) commitElsewhere(persistDir, sql)
    },
  })
  return {alarms: alarmsOf(found), found, runs}
}

describe('a directory that is written to while it is checked', () => {
  it('is checked again where something is wrong, and was wrong for a moment only', async () => {
    const {alarms, runs} = await checkWhile(copyOfFixture('chroma-1.5.9'), [TAKE, PUT_BACK])
    expect(alarms).to.deep.equal([])
    expect(runs).to.equal(2)
  })

  it('is not checked again where nothing is wrong', async () => {
    const {alarms, runs} = await checkWhile(copyOfFixture('chroma-1.5.9'), [TOUCH, TOUCH])
    expect(alarms).to.deep.equal([])
    expect(runs).to.equal(1)
  })

  it('has what is still wrong when nobody writes any more', async () => {
    const {alarms, found, runs} = await checkWhile(copyOfFixture('chroma-1.5.9'), [TAKE])
    expect(runs).to.equal(2)
    expect(alarms).to.include('X1').and.not.to.include('P1')
    expect(found.healthy).to.equal(false)
  })

  it('says so in the end where it is written to all the time', async () => {
    const {alarms, found, runs} = await checkWhile(copyOfFixture('chroma-1.5.9'), [
      TAKE,
      ...Array.from({length: 10}, () => TOUCH),
    ])
    expect(runs).to.equal(5)
    expect(alarms).to.include('X1')
    expect(found.findings.find(({id}) => id === 'P1')?.message).to.include('while it was checked')
  })
})
