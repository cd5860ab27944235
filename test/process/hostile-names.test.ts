import {expect} from 'chai'
import {join} from 'node:path'

import {chops, chopsJson, type CliOptions} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {withDatabase} from '../support/sql.js'
import {closeTerminals, hasTerminal, RUN_CHOPS, Terminal} from '../support/terminal.js'

const TENANT = 'tenant\u001B]0;owned\u0007\u202E'
const DATABASE = 'database\u009B2J\nFORGED: all is well'
const PLACE = ['--tenant', TENANT, '--database', DATABASE]

/** A directory whose tenant and database are named by somebody who wants the terminal. */
async function hostileDirectory(): Promise<string> {
  const {persistDir} = unpackFixture('chroma-1.5.9')
  await withDatabase(persistDir, async (db) => {
    await db.run("UPDATE tenants SET id = ? WHERE id = 'default_tenant'", [TENANT])
    await db.run("UPDATE databases SET tenant_id = ?, name = ? WHERE name = 'default_database'", [
      TENANT,
      DATABASE,
    ])
  })
  return persistDir
}

/** What a command shows, which must be its own lines and no control characters but their ends. */
async function shown(args: string[], options?: CliOptions): Promise<string> {
  const {code, stderr, stdout} = await chops(args, options)
  const text = stdout + stderr
  expect(code, text).to.be.oneOf([0, 1])
  expect(text).not.to.match(/(?!\n)\p{Cc}|\u202E|^FORGED/mu)
  return text
}

describe('control characters in the names of a tenant and a database', () => {
  const escaped = String.raw`tenant\x1b]0;owned\x07\u202e`
  const database = String.raw`database\x9b2J\x0aFORGED: all is well`

  for (const command of ['wal info', 'db info', 'db check', 'collection list']) {
    it(`are shown escaped by ${command}`, async () => {
      expect(await shown([...command.split(' '), await hostileDirectory()])).to.include(escaped)
    })
  }

  it('are shown escaped where an index is looked at, configured and rebuilt', async () => {
    const persistDir = await hostileDirectory()
    const chosen = [persistDir, '-c', 'churned', ...PLACE]
    expect(await shown(['hnsw', 'info', ...chosen])).to.include(`${database} database of tenant ${escaped}`)
    const place = `(tenant ${escaped}, database ${database}, id `
    expect(await shown(['hnsw', 'config', ...chosen, '--search-ef', '77', '-y'])).to.include(place)
    expect(await shown(['hnsw', 'config', ...chosen, '--search-ef', '77', '-y'])).to.include(place)
    expect(await shown(['hnsw', 'rebuild', ...chosen], {input: 'n\n'})).to.include(place)
    expect(await shown(['hnsw', 'rebuild', ...chosen, '-y'])).to.include(place)
  })

  it('are shown escaped where the log is exported, committed and cleaned', async () => {
    const persistDir = await hostileDirectory()
    const place = `(tenant ${escaped}, database ${database}, id `
    expect(await shown(['wal', 'export', persistDir, '-c', 'churned', ...PLACE, '-o', file()])).to.include(
      `Collection: ${escaped}/${database}/churned`,
    )
    expect(await shown(['wal', 'commit', persistDir, '-y'])).to.include(place)
    expect(await shown(['wal', 'clean', persistDir, '-y'])).to.include(escaped)
  })

  it('are shown escaped where a collection is put into a file and taken out of it', async () => {
    const persistDir = await hostileDirectory()
    const snapshot = file()
    const place = `(tenant ${escaped}, database ${database}, id `
    expect(
      await shown(['collection', 'snapshot', persistDir, '-c', 'churned', ...PLACE, '-o', snapshot]),
    ).to.include(place)
    const restore = ['collection', 'restore', persistDir, '-i', snapshot, '--replace']
    expect(await shown(restore, {input: 'n\n'})).to.include(`(tenant ${escaped}, database ${database})`)
    expect(await shown([...restore, '-y']))
      .to.include(place)
      .and.include(`It took the place of ${escaped}/${database}/churned.`)
  })

  it('are as they are in JSON, in results and in errors', async () => {
    const persistDir = await hostileDirectory()
    const {json} = await chopsJson<{database: string; tenant: string}>([
      'hnsw',
      'info',
      persistDir,
      '-c',
      'churned',
      ...PLACE,
    ])
    expect(json).to.include({database: DATABASE, tenant: TENANT})
    const missing = await chopsJson<{error: {next: string}}>(['hnsw', 'info', persistDir, '-c', 'nope'])
    expect(missing.json.error.next).to.include(`${TENANT}/${DATABASE}/churned`)
  })

  it('are escaped in a terminal, whose own colours and steps stay', async function () {
    if (!hasTerminal) return this.skip()
    const chosen = [await hostileDirectory(), '-c', 'churned', ...PLACE]
    const terminal = new Terminal([...RUN_CHOPS, 'hnsw', 'rebuild', ...chosen], {
      env: {CI: undefined, FORCE_COLOR: undefined, NO_COLOR: undefined},
    })
    await terminal.shows(/\[y\/N\] $/)
    terminal.type('y\r')
    expect(await terminal.ended).to.equal(0)
    expect(terminal.raw).to.include(escaped)
    for (const raw of ['\u001B]0;owned', '\u009B', '\u202E']) expect(terminal.raw).not.to.include(raw)
    expect(terminal.text).to.match(/Building the graph[\s\S]*\nVerified: /)
  })

  afterEach(closeTerminals)
})

function file(): string {
  return join(temporaryFolder(), 'file')
}
