import {Config} from '@oclif/core'
import {expect} from 'chai'
import {spawnSync} from 'node:child_process'
import {chmodSync, mkdirSync, renameSync, writeFileSync} from 'node:fs'
import {delimiter, dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {complete} from '../../src/lib/completion/complete.js'
import {chops, chopsJson} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {withDatabase} from '../support/sql.js'
import {closeTerminals, hasTerminal, RUN_CHOPS, Terminal} from '../support/terminal.js'

const config = await Config.load(fileURLToPath(new URL('../../', import.meta.url)))

/** How a shell goes on after these words. */
async function answers(...words: string[]): Promise<{kind: string; values: string[]}> {
  const {kind, values} = await complete(words, config.commands, {})
  return {kind, values: values.map(({value}) => value)}
}

/** A directory whose names need quotes, and one that tries to reach the terminal. */
async function oddDirectory(): Promise<string> {
  const {persistDir} = unpackFixture('chroma-1.5.9')
  await withDatabase(persistDir, async (db) => {
    await db.exec(`UPDATE collections SET name = 'my docs' WHERE name = 'defaults';
      UPDATE collections SET name = 'team:notes' WHERE name = 'empty';
      UPDATE collections SET name = 'it''s $5' WHERE name = 'inner_product';
      UPDATE collections SET name = 'red' || char(27) || '[31m' WHERE name = 'wal_only'`)
  })
  return persistDir
}

describe('the completion of a command line', () => {
  const {persistDir} = unpackFixture('chroma-1.5.9')

  it('knows groups, commands and flags', async () => {
    expect((await answers('hn')).values).to.deep.equal(['hnsw'])
    expect((await answers('hnsw', '')).values).to.deep.equal(['config', 'info', 'rebuild'])
    expect((await answers('hnsw', 'rebuild', persistDir, '--no-')).values).to.deep.equal(['--no-backup'])
    expect((await answers('complet')).values).to.deep.equal([])
  })

  it('does not offer a flag twice, unless it may be given twice', async () => {
    expect((await answers('hnsw', 'info', persistDir, '-v', '--verb')).values).to.deep.equal([])
    expect((await answers('wal', 'commit', persistDir, '--skip', 'a', '--sk')).values).to.deep.equal([
      '--skip',
    ])
  })

  it('leaves the directory to the shell', async () => {
    expect(await answers('hnsw', 'info', './chr')).to.deep.equal({kind: 'folders', values: []})
    expect(await answers('wal', 'export', persistDir, '--out', '')).to.deep.equal({kind: 'files', values: []})
  })

  it('knows collections, databases and tenants of the directory on the line', async () => {
    const info = ['hnsw', 'info', persistDir]
    expect((await answers(...info, '-c', 'ch')).values).to.deep.equal(['churned'])
    expect((await answers(...info, '--collection=ch')).values).to.deep.equal(['churned'])
    expect((await answers(...info, '--tenant', 'acme', '-c', '')).values).to.deep.equal(['churned'])
    expect((await answers(...info, '--tenant', 'acme', '-d', '')).values).to.deep.equal(['prod'])
    expect((await answers(...info, '--tenant=')).values).to.deep.equal(['acme', 'default_tenant'])
    const skip = await answers('wal', 'commit', persistDir, '-s', 'churned,')
    expect(skip.values).to.include('defaults').and.not.include('churned')
  })

  it('knows fixed choices and tokenizers', async () => {
    expect((await answers('wal', 'config', persistDir, '--purge', '')).values).to.deep.equal(['auto', 'off'])
    expect((await answers('hnsw', 'rebuild', persistDir, '--space', '')).values).to.have.members([
      'cosine',
      'ip',
      'l2',
    ])
    const info = config.findCommand('hnsw:info', {must: true})
    const {collection} = info.flags
    if (!collection) throw new Error('hnsw info has no --collection')
    const plugin = {
      ...info,
      flags: {tokenizer: {...collection, char: 't' as const, name: 'tokenizer'}},
      id: 'fts:renew',
    }
    const {values} = await complete(['fts', 'renew', persistDir, '-t', 'tri'], [plugin], {})
    expect(values).to.deep.equal([{value: 'trigram'}])
  })

  it('takes the directory of CHROMA_PERSIST_DIR, and of a path with ~ or a variable', async () => {
    const env = {CHROMA_PERSIST_DIR: persistDir, HOME: dirname(persistDir)}
    for (const words of [
      ['-c', 'ch'],
      ['~/persist', '-c', 'ch'],
      ['$HOME/persist', '-c', 'ch'],
    ]) {
      const {values} = await complete(['hnsw', 'info', ...words], config.commands, env)
      expect(values).to.have.length(1)
    }
  })

  it('goes on with files where the directory cannot be read', async () => {
    expect(await answers('hnsw', 'info', '/does/not/exist', '-c', '')).to.deep.equal({
      kind: 'files',
      values: [],
    })
  })

  it('leaves out what a terminal would obey', async () => {
    const {values} = await answers('hnsw', 'info', await oddDirectory(), '-c', '')
    expect(values).to.include('my docs')
    expect(values.join(' ')).not.to.include('red')
  })
})

describe('chops autocomplete', () => {
  it('prints the script of a shell, also as JSON, and without one says how to set it up', async () => {
    const {stdout} = await chops(['autocomplete', 'bash'])
    expect(stdout).to.include('complete -F _chops chops')
    const {json} = await chopsJson<{script: string; shell: string}>(['autocomplete', 'bash'])
    expectToMatchSchema('autocomplete', json)
    expect(json.script).to.equal(stdout)
    expect((await chops(['autocomplete'])).stdout).to.include('~/.zshrc')
    expect((await chops(['autocomplete', 'fish'])).code).to.equal(2)
  })
})

for (const shell of ['bash', 'zsh'] as const) {
  describe(`completion in a real ${shell}`, () => {
    let folder = ''
    let terminal: Terminal

    before(async function () {
      if (!hasTerminal || spawnSync(shell, ['--version']).status !== 0) {
        console.log(`      left out: ${hasTerminal ? shell : 'script (util-linux)'} is not installed`)
        this.skip()
      }

      folder = temporaryFolder()
      renameSync(await oddDirectory(), join(folder, 'my chroma'))
      mkdirSync(join(folder, 'bin'))
      writeFileSync(join(folder, 'bin/chops'), `#!/bin/sh\nexec ${RUN_CHOPS.join(' ')} "$@"\n`)
      chmodSync(join(folder, 'bin/chops'), 0o755)
    })

    beforeEach(async () => {
      const command = shell === 'bash' ? ['bash', '--norc', '--noprofile', '-i'] : ['zsh', '-f', '-i']
      const env = {
        CHROMA_PERSIST_DIR: '',
        PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
        PS1: '> ',
      }
      terminal = new Terminal(command, {columns: 200, cwd: folder, env})
      if (shell === 'zsh') terminal.type("autoload -Uz compinit && compinit -D -u; bindkey -e; PS1='> '\r")
      terminal.type(`source <(chops autocomplete ${shell}); echo re''ady\r`)
      await terminal.shows(/^ready\n/m)
    })

    afterEach(closeTerminals)

    /** Types a line, presses Tab, runs an echo of it, and returns the arguments that the shell made of it. */
    async function completed(line: string): Promise<string[]> {
      const from = terminal.text.length
      // Ctrl-A: the same line, as arguments of printf. The shell reads on when the completion has its answer.
      terminal.type(`${line}\t\u0001printf '<%s>' \u0005; echo do''ne\r`)
      const shown = await terminal.shows(/^.*>\s?done\n/m, from)
      return [...(/^<.*>done$/m.exec(shown)?.[0] ?? '').matchAll(/<([^>]*)>/g)].map(([, word = '']) => word)
    }

    it('completes commands, flags and a folder with a space in its name', async () => {
      expect(await completed('chops hnsw reb')).to.deep.equal(['chops', 'hnsw', 'rebuild'])
      expect(await completed('chops hnsw info x --verb')).to.deep.equal([
        'chops',
        'hnsw',
        'info',
        'x',
        '--verbose',
      ])
      // zsh takes the slash back when the word ends.
      expect((await completed('chops hnsw info my')).at(-1)).to.match(/^my chroma\/?$/)
    })

    it('completes names and quotes them', async () => {
      const info = String.raw`chops hnsw info my\ chroma `
      const name = async (start: string): Promise<string | undefined> =>
        (await completed(info + start)).at(-1)
      expect(await name('-c chu')).to.equal('churned')
      expect(await name('-c my')).to.equal('my docs')
      expect(await name('-c "my')).to.equal('my docs')
      expect(await name("-c 'my")).to.equal('my docs')
      expect(await name('-c it')).to.equal("it's $5")
      expect(await name('-c team:n')).to.equal('team:notes')
      expect(await name('--collection=chu')).to.equal('--collection=churned')
      expect(await name('-d pr')).to.equal('prod')
    })
  })
}
