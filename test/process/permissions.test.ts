import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {chmodSync, existsSync, readdirSync} from 'node:fs'
import {dirname, join} from 'node:path'

import type {DbCheckResult} from '../../plugins/ops-db/src/commands/db/check.js'
import type {MaintainResult} from '../../src/commands/maintain.js'

import {unpackFixture} from '../support/fixtures.js'
import {RUN_CHOPS} from '../support/terminal.js'

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0

/** A directory that another user may look at; root's own folders are closed to it where a test closes them. */
function sharedDirectory(): string {
  const {persistDir} = unpackFixture('chroma-1.5.9')
  for (let above = dirname(persistDir); above.includes('chops-test-'); above = dirname(above)) {
    chmodSync(above, 0o711)
  }

  return persistDir
}

/** Runs chops as a user who is not root: for root every file is open. */
function asAnybody(args: string[]): {status: number | null; stderr: string; stdout: string} {
  const [node = '', ...rest] = [...RUN_CHOPS, ...args]
  return spawnSync(node, rest, {encoding: 'utf8', ...(isRoot && {cwd: '/', gid: NOBODY, uid: NOBODY})})
}

describe('a directory that belongs to another user', () => {
  before(function () {
    // The modules lie in somebody's home.
    if (asAnybody(['--version']).status !== 0) this.skip()
  })

  const opened: string[] = []
  function close(path: string, mode: number): void {
    chmodSync(path, mode)
    opened.push(path)
  }

  afterEach(() => {
    for (const path of opened.splice(0)) chmodSync(path, 0o755)
  })

  for (const [what, part] of [
    ['index folders', (folder: string) => folder],
    ['header.bin', (folder: string) => join(folder, 'header.bin')],
    ['index_metadata.pickle', (folder: string) => join(folder, 'index_metadata.pickle')],
  ] as const) {
    it(`is not said to be damaged by db check because ${what} may not be read`, () => {
      const persistDir = sharedDirectory()
      const folders = readdirSync(persistDir, {withFileTypes: true}).filter((entry) => entry.isDirectory())
      for (const {name} of folders) {
        const folder = join(persistDir, name)
        if (existsSync(join(folder, 'index_metadata.pickle'))) close(part(folder), 0o000)
      }

      const {status, stdout} = asAnybody(['db', 'check', persistDir, '--json'])
      const {findings, healthy, ledger} = JSON.parse(stdout) as DbCheckResult
      expect(findings.filter(({severity}) => severity === 'C')).to.deep.equal([])
      const unread = findings.filter(({id}) => id === 'P3')
      for (const {message, severity} of unread) {
        expect(severity).to.equal('E')
        expect(message)
          .to.include(`${persistDir}/`)
          .and.match(/cannot be read: permission denied\. Run chops as the user that runs Chroma/)
          .and.not.match(/EACCES|stat|open/)
      }

      const unknown = ledger.filter(({indexed}) => indexed === null).map(({name}) => name)
      expect(unknown).to.include('churned')
      expect(unread.flatMap(({collection}) => collection?.name ?? [])).to.have.members(unknown)
      expect(healthy).to.equal(false)
      expect(status).to.equal(1)
    })
  }

  it('is not said to be damaged by db check because its database may not be read', () => {
    const persistDir = sharedDirectory()
    close(join(persistDir, 'chroma.sqlite3'), 0o000)
    const {stdout} = asAnybody(['db', 'check', persistDir, '--json'])
    const {findings} = JSON.parse(stdout) as DbCheckResult
    expect(findings.map(({id}) => id))
      .to.include('P3')
      .and.not.include('S1')
  })

  it('has its other indexes maintained', () => {
    const persistDir = sharedDirectory()
    for (const entry of readdirSync(persistDir, {recursive: true, encoding: 'utf8'})) {
      if (entry.endsWith('index_metadata.pickle')) close(join(persistDir, entry), 0o000)
    }

    const {stdout} = asAnybody(['maintain', persistDir, '--dry-run', '--json'])
    const {steps} = JSON.parse(stdout) as MaintainResult
    expect(steps.find(({step}) => step === 'commit')?.runs[0]).to.include('--skip=churned')
  })

  it('is refused by a maintenance pass, which cannot create its lock there', () => {
    const persistDir = sharedDirectory()
    close(persistDir, 0o555)
    const {status, stderr} = asAnybody(['maintain', persistDir, '--yes'])
    expect(stderr)
      .to.include(`Error: ${join(persistDir, '.chops.lock')} cannot be created: permission denied.`)
      .and.match(/Run chops as the user that runs Chroma/)
    expect(status).to.equal(4)
    expect(existsSync(join(persistDir, '.chops.lock'))).to.equal(false)
  })

  it('is told apart from a damaged one where an index is read', () => {
    const persistDir = sharedDirectory()
    for (const entry of readdirSync(persistDir, {recursive: true, encoding: 'utf8'})) {
      if (entry.endsWith('header.bin')) close(join(persistDir, entry), 0o000)
    }

    const {status, stderr} = asAnybody(['hnsw', 'info', persistDir, '-c', 'churned'])
    expect(stderr).to.match(/header\.bin cannot be read: permission denied\.\n {2}Run chops as the user/)
    expect(status).to.equal(4)
  })
})
