import {expect} from 'chai'
import {cpSync, readdirSync} from 'node:fs'
import {join} from 'node:path'

import {childrenOf, isRunning, newSegmentFolder, startChops, untilEnded} from '../support/background.js'
import {chops} from '../support/cli.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {appendManyAdds, hasProcessFiles, locate} from '../support/segments.js'
import {fingerprint} from '../support/untouched.js'

/** Enough that a signal comes long before the commit is over. */
const MANY = 20_000

interface Processes {
  /** Of the command that the pass runs. */
  command: number
  pass: number
}

interface Case {
  ends: {code: null | number; signal: NodeJS.Signals | null}
  how: string
  signal: (processes: Processes) => void
}

const CASES: Case[] = [
  {
    ends: {code: 130, signal: null},
    how: 'Ctrl-C, which a terminal sends to both',
    signal: ({pass}) => process.kill(-pass, 'SIGINT'),
  },
  {
    ends: {code: 130, signal: null},
    how: 'SIGTERM, which systemd sends to both',
    signal({command, pass}) {
      process.kill(pass, 'SIGTERM')
      process.kill(command, 'SIGTERM')
    },
  },
  {
    ends: {code: 130, signal: null},
    how: 'SIGTERM to the pass alone',
    signal: ({pass}) => process.kill(pass, 'SIGTERM'),
  },
  {
    ends: {code: null, signal: 'SIGKILL'},
    how: 'SIGKILL to the pass alone',
    signal: ({pass}) => process.kill(pass, 'SIGKILL'),
  },
]

describe('while a maintenance pass has a command build an index', () => {
  const slow = unpackFixture('chroma-1.5.9').persistDir

  before(async function () {
    if (!hasProcessFiles()) this.skip()
    // So that a single index is all that the next pass has to do.
    expect((await chops(['maintain', slow, '--yes'])).code).to.equal(0)
    const {topic} = await locate(slow, 'odd-name_1')
    await appendManyAdds(slow, topic, MANY, 8)
  })

  for (const {ends, how, signal} of CASES) {
    it(`the command undoes what it began after ${how}`, async () => {
      const persistDir = join(temporaryFolder(), 'persist')
      cpSync(slow, persistDir, {recursive: true})
      const before = fingerprint(persistDir)
      const entries = readdirSync(persistDir)
      const {child, ended} = startChops(['maintain', persistDir, '--yes'])
      const pass = child.pid ?? 0
      await newSegmentFolder(persistDir, entries)
      const [command = 0] = await childrenOf(pass)
      const engines = await childrenOf(command)
      signal({command, pass})
      const {code, signal: endedBy, stderr} = await ended
      expect({code, signal: endedBy}, stderr).to.deep.equal(ends)
      await untilEnded(command)
      expect(fingerprint(persistDir)).to.deep.equal(before)
      expect(engines.filter((id) => isRunning(id))).to.deep.equal([])
    })
  }
})
