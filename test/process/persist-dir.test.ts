import {expect} from 'chai'
import {mkdirSync} from 'node:fs'
import {basename, dirname, join} from 'node:path'

import {chops} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {closeTerminals, hasTerminal, RUN_CHOPS, Terminal} from '../support/terminal.js'

const UNSET = {CHROMA_PERSIST_DIR: ''}

describe('a command line without PERSIST_DIR', () => {
  const {persistDir} = unpackFixture('chroma-1.5.9')

  it('means the directory of CHROMA_PERSIST_DIR', async () => {
    const {code, stdout} = await chops(['db', 'info'], {env: {CHROMA_PERSIST_DIR: persistDir}})
    expect(code).to.equal(0)
    expect(stdout).to.include(persistDir)
  })

  it('names both ways to give one off a terminal, and does not take the answers on stdin for it', async () => {
    const {code, stderr} = await chops(['wal', 'commit'], {env: UNSET, input: `${persistDir}\ny\n`})
    expect(code).to.equal(2)
    expect(stderr).to.match(/first argument.*CHROMA_PERSIST_DIR/s)
  })

  it('complains of the rest of the line first', async () => {
    const {code, stderr} = await chops(['db', 'info', '--nope'], {env: UNSET})
    expect(code).to.equal(2)
    expect(stderr).to.include('--nope')
  })

  it('is not what an empty argument means: an unset variable of a script', async () => {
    const {code, stderr} = await chops(['db', 'info', ''], {env: {CHROMA_PERSIST_DIR: persistDir}})
    expect(code).to.equal(2)
    expect(stderr).to.include('PERSIST_DIR is empty')
  })

  describe('in a terminal', () => {
    before(function () {
      if (!hasTerminal) {
        console.log('      left out: script (util-linux), which brings a terminal, is not installed')
        this.skip()
      }
    })

    afterEach(closeTerminals)
    const parent = dirname(persistDir)

    it('asks for it, and Tab completes folders', async () => {
      const terminal = new Terminal([...RUN_CHOPS, 'wal', 'info'], {cwd: parent, env: UNSET})
      await terminal.shows(/Which persist directory.*\? $/)
      terminal.type(`${basename(persistDir).slice(0, 3)}\t`)
      await terminal.shows(/\? persist\/$/)
      terminal.type('\r')
      await terminal.shows(/ChromaDB version/)
      expect(await terminal.ended).to.equal(0)
    })

    it('shows no folder whose name holds control characters', async () => {
      const folder = temporaryFolder()
      for (const name of ['chroma-a', 'chroma-b', 'chroma-\u001B[31m']) mkdirSync(join(folder, name))
      const terminal = new Terminal([...RUN_CHOPS, 'wal', 'info'], {cwd: folder, env: UNSET})
      await terminal.shows(/Which persist directory.*\? $/)
      terminal.type('chr\t')
      await terminal.shows(/\? chroma-$/)
      terminal.type('\t')
      await terminal.shows(/chroma-a\/\s+chroma-b\//)
      expect(terminal.raw).not.to.include('\u001B[31m')
      terminal.type('\u0003')
      expect(await terminal.ended).to.equal(130)
    })

    it('takes an empty answer for none, and Ctrl-C for a stop', async () => {
      const empty = new Terminal([...RUN_CHOPS, 'wal', 'info'], {env: UNSET})
      await empty.shows(/Which persist directory.*\? $/)
      empty.type('\r')
      expect(await empty.ended).to.equal(2)
      const stopped = new Terminal([...RUN_CHOPS, 'wal', 'info'], {env: UNSET})
      await stopped.shows(/Which persist directory.*\? $/)
      stopped.type('\u0003')
      expect(await stopped.ended).to.equal(130)
      expect(stopped.text).to.include('Interrupted.')
    })

    it('opens a list of collections when --collection is missing', async () => {
      const terminal = new Terminal([...RUN_CHOPS, 'hnsw', 'info', persistDir])
      await terminal.shows(/Which collection\?.*❯/s)
      terminal.type('\r')
      await terminal.shows(/HNSW details/)
      expect(await terminal.ended).to.equal(0)
    })

    for (const [key, name, code, says] of [
      ['\u0003', 'Ctrl-C', 130, /Interrupted\.\s*$/],
      ['\u0004', 'Ctrl-D', 2, /--collection is missing/],
    ] as const) {
      it(`ends with ${code} when the list is left with ${name}`, async () => {
        const terminal = new Terminal([...RUN_CHOPS, 'hnsw', 'info', persistDir])
        await terminal.shows(/Which collection\?.*❯/s)
        terminal.type(key)
        expect(await terminal.ended).to.equal(code)
        expect(terminal.text).to.match(says)
      })
    }
  })
})
