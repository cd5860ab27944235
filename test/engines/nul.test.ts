import {expect} from 'chai'
import {execFile} from 'node:child_process'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

import {chops} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {takeSnapshot} from '../support/snapshots.js'
import {type Engine, ENGINE_VERSIONS, engineOrSkip} from './support/engines.js'
import {copyOf} from './support/judge.js'
import {RunningServer} from './support/server.js'

const SCRIPT = fileURLToPath(new URL('nul.py', import.meta.url))
const SERVERS: ReadonlySet<string> = new Set(['0.6.3', '1.0.16', '1.5.9'])
const SOUND = {complaint: null, wordsOfNothing: 0}

const DOCUMENTS = {
  a: 'before\0behind',
  b: 'plain words',
  c: '\0behind',
  d: 'be\0behind',
  e: 'before\0behind\0behind',
}

interface GoingOn {
  before: object
  documents: Record<string, string>
  found: Record<string, string[]>
  foundLater: Record<string, string[]>
  later: object
}

async function script(engine: Engine, ...args: string[]): Promise<string> {
  const {stdout} = await promisify(execFile)(engine.python, [SCRIPT, ...args])
  return stdout
}

/** The engine finds, updates and deletes the records, and its own SQLite finds the index sound and without words of nothing. */
async function expectMaintained(engine: Engine, dir: string, name = 'nul'): Promise<void> {
  const lines = (await script(engine, 'go_on', dir, name)).trim().split('\n')
  const said = JSON.parse(lines.at(-1) ?? '') as GoingOn
  const nothing = {again: [], before: [], behind: [], changed: [], hidden: [], plain: []}
  expect(said).to.deep.equal({
    before: SOUND,
    documents: DOCUMENTS,
    found: {...nothing, before: ['a', 'e'], plain: ['b']},
    foundLater: {...nothing, again: ['c'], changed: ['a'], plain: ['b']},
    later: SOUND,
  })
}

async function run(...args: string[]): Promise<void> {
  const {code, stderr, stdout} = await chops(args)
  expect(code, `${stdout}\n${stderr}`).to.equal(0)
}

for (const version of ENGINE_VERSIONS) {
  describe(`documents with a NUL character of Chroma ${version}, judged by it`, () => {
    let engine: Engine
    let written: string

    before(async function () {
      engine = await engineOrSkip(this, version)
      written = join(temporaryFolder(), 'persist')
      await script(engine, 'write', written)
    })

    it('are sound as it wrote them', async () => {
      await run('db', 'check', copyOf(written))
    })

    it('are indexed anew as it does it', async () => {
      const dir = copyOf(written)
      await run('fts', 'rebuild', dir, '-y')
      await run('db', 'check', dir)
      await expectMaintained(engine, dir)
    })

    it('are restored as it would add them, in their own place and beside', async () => {
      const dir = copyOf(written)
      const file = await takeSnapshot(dir, {name: 'nul'})
      await run('collection', 'restore', dir, '-i', file, '--replace', '-y')
      await run('collection', 'restore', dir, '-i', file, '--as', 'copy', '-y')
      await run('db', 'check', dir)
      await expectMaintained(engine, dir)
      await expectMaintained(engine, dir, 'copy')
    })

    it('are pulled as it would add them', async function () {
      // The older servers do not speak version 2 of the interface.
      if (!SERVERS.has(version)) this.skip()
      const server = await RunningServer.start(engine, copyOf(written))
      const dir = copyOf(written)
      try {
        await run('collection', 'pull', dir, '-c', 'nul', '--as', 'copy', '--url', server.url, '-y')
      } finally {
        await server.stop()
      }

      await run('db', 'check', dir)
      await expectMaintained(engine, dir, 'copy')
    })
  })
}
