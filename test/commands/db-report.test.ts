import {expect} from 'chai'
import {readFileSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import type {DbReport} from '../../plugins/ops-db/src/commands/db/report.js'

import {copyOfFixture} from '../check/support.js'
import {chops, chopsJson} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

/** What would run, load or draw over the page, were it not escaped. */
const HOSTILE = `"><script>alert(1)</script><img src=x onerror='alert(2)'>\u202E\u001B[2J&lt;`

describe('db report', () => {
  it('writes one page about every collection, and changes nothing', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const output = join(temporaryFolder(), 'report.html')
    const {code, json} = await chopsJson<DbReport>(['db', 'report', persistDir, '-o', output])
    expect(code).to.equal(0)
    expectToMatchSchema('db-report', json)
    const page = readFileSync(output, 'utf8')
    expect(json).to.include({bytes: Buffer.byteLength(page), status: 'done'})
    for (const name of ['default_database/churned', 'default_database/defaults', 'acme/prod/churned'])
      expect(page).to.include(name)
    expect(page)
      .to.match(/live: 200 \(66\.7 %\)/)
      .and.match(/only in the log: 537 /)
    expect(page).to.match(/<th scope="row">H17<\/th>/)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })

  it('lets no name run, load or reorder anything', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) =>
      db.run("UPDATE collections SET name = ? WHERE name = 'defaults'", [HOSTILE]),
    )
    const page = await pageOf(persistDir)
    for (const active of ['<script', '<img', '\u202E', '\u001B']) expect(page).to.not.include(active)
    expect(page).to.include('&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(page).to.match(
      /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-/,
    )
  })

  it('shows no path and no name in privacy mode', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const page = await pageOf(persistDir, '--privacy-mode')
    for (const secret of [persistDir, 'churned', 'odd-name', 'acme', 'prod/', 'default_tenant'])
      expect(page).to.not.include(secret)
    expect(page)
      .to.include('collection 7')
      .and.to.match(/<th scope="row">H17<\/th>/)
  })

  it('reports a damaged index, and the others all the same', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const {folder} = await locate(persistDir, 'inner_product')
    truncateSync(join(folder, 'data_level0.bin'), 100)
    const page = await pageOf(persistDir)
    expect(page).to.match(/<p class="bad">\s*[^<]*data_level0\.bin/)
    expect(page).to.match(/live: 200 \(66\.7 %\)/)
  })

  it('asks before it overwrites a file', async () => {
    const persistDir = copyOfFixture('chroma-1.5.9')
    const output = join(temporaryFolder(), 'report.html')
    writeFileSync(output, 'mine')
    const {code, stderr} = await chops(['db', 'report', persistDir, '-o', output], {input: 'n\n'})
    expect(code).to.equal(0)
    expect(stderr).to.match(/overwrite .*report\.html\? \[y\/N\]/)
    expect(readFileSync(output, 'utf8')).to.equal('mine')
  })
})

async function pageOf(persistDir: string, ...flags: string[]): Promise<string> {
  const output = join(temporaryFolder(), 'report.html')
  const {code, stderr} = await chops(['db', 'report', persistDir, '-o', output, ...flags])
  expect(code, stderr).to.equal(0)
  return readFileSync(output, 'utf8')
}
