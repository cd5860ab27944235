import {expect} from 'chai'

import {chops} from '../support/cli.js'
import {unpackFixture} from '../support/fixtures.js'
import {closeTerminals, hasTerminal, RUN_CHOPS, Terminal} from '../support/terminal.js'

// eslint-disable-next-line no-control-regex -- control sequences are what it looks for
const COLOUR = /\u001B\[[\d;]*m/
const lines = (text: string): string[] => text.split('\n')

describe('what a command shows', () => {
  const rebuild = (): string[] => [
    'hnsw',
    'rebuild',
    unpackFixture('chroma-1.5.9').persistDir,
    '-c',
    'churned',
    '--yes',
  ]

  it('is plain text in a pipe and in the log of a CI job: one line a step, no control sequence', async () => {
    const {code, stderr, stdout} = await chops(rebuild(), {env: {CI: 'true', FORCE_COLOR: ''}})
    expect(code, stderr).to.equal(0)
    // eslint-disable-next-line no-control-regex -- as above
    expect(stderr + stdout).not.to.match(/[\u0000-\u0009\u000B-\u001F\u007F]/)
    expect(lines(stderr)).to.include('Building the graph').and.have.length.below(10)
  })

  describe('in a terminal', () => {
    before(function () {
      if (!hasTerminal) {
        console.log('      left out: script (util-linux), which brings a terminal, is not installed')
        this.skip()
      }
    })

    afterEach(closeTerminals)

    for (const columns of [40, 200]) {
      it(`fits ${columns} columns`, async () => {
        const {persistDir} = unpackFixture('chroma-1.5.9')
        const terminal = new Terminal([...RUN_CHOPS, 'wal', 'info', persistDir], {columns})
        expect(await terminal.ended).to.equal(0)
        const table = lines(terminal.text).filter((line) => /^[┌│├└]/.test(line))
        expect(table).to.have.length.above(8)
        for (const line of table) expect(line.length).to.be.at.most(columns)
        expect(terminal.text).to.match(columns === 40 ? /│ Pending +20/ : / Count +Committed +Pending/)
      })
    }

    it('has no colour with NO_COLOR', async () => {
      const terminal = new Terminal([...RUN_CHOPS, ...rebuild()], {
        env: {FORCE_COLOR: undefined, NO_COLOR: '1'},
      })
      expect(await terminal.ended).to.equal(0)
      expect(terminal.text).to.include('Building the graph')
      expect(COLOUR.exec(terminal.raw)?.[0] ?? '').to.equal('')
    })

    it('is the same table in colour without it', async () => {
      const terminal = new Terminal([...RUN_CHOPS, ...rebuild()], {
        env: {CI: undefined, FORCE_COLOR: undefined, NO_COLOR: undefined},
      })
      expect(await terminal.ended).to.equal(0)
      expect(terminal.raw).to.match(COLOUR)
    })

    it('says in a pass which part of a step is under way', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const terminal = new Terminal([...RUN_CHOPS, 'maintain', persistDir, '--yes'], {columns: 120})
      expect(await terminal.ended).to.equal(0)
      expect(terminal.text).to.match(/Write the pending log into the indexes: [A-Z][a-z ,]+ \d+ %/)
    }).timeout(60_000)

    it('leaves the cursor and a whole line behind after Ctrl-C at the question, and changes nothing', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const terminal = new Terminal([...RUN_CHOPS, 'hnsw', 'rebuild', persistDir, '-c', 'churned'])
      await terminal.shows(/Are you sure.*\[y\/N\] $/)
      terminal.type('\u0003')
      expect(await terminal.ended).to.equal(130)
      expect(terminal.text).to.match(/\nError: Interrupted\.\n$/)
      expect(terminal.raw.lastIndexOf('\u001B[?25l')).to.be.at.most(terminal.raw.lastIndexOf('\u001B[?25h'))
    })
  })
})
