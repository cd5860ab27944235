import {expect} from 'chai'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {explorePoints, type Summary} from '../support/faults/explore.js'
import {FAULT_KINDS, type FaultKind, type Point, runFaulted} from '../support/faults/faulted-run.js'
import {brokenInvariants} from '../support/faults/invariants.js'
import {type PersistState, readPersistState} from '../support/faults/persist-state.js'
import {type Expected, FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'

const SCRIPT = fileURLToPath(new URL('../support/faults/switch-copy.mjs', import.meta.url))
/** The script has no handler for Ctrl-C. */
const SAMPLE = ['kill before', 'EIO after', 'ENOSPC'] as const
const full = process.env.CHOPS_FAULTS === 'full'

describe('the harness for kills and faults', function () {
  this.timeout(full ? 3_600_000 : 120_000)

  let persistDir: string
  let expected: Expected
  let before: PersistState

  beforeEach(async () => {
    ;({expected, persistDir} = unpackFixture('chroma-1.5.9'))
    before = await readPersistState(persistDir)
  })

  /** In full every point, otherwise only those that matter to what is to be shown. */
  function explore(
    way: string,
    kinds: readonly FaultKind[],
    only: (point: Point) => boolean,
  ): Promise<Summary> {
    return explorePoints({
      args: (copy) => [copy, way],
      check: (copy, visit) => brokenInvariants(copy, visit, {before, expected, isSingleChange: true}),
      kinds,
      only: full ? () => true : only,
      prepare: () => persistDir,
      script: SCRIPT,
    })
  }

  it('finds nothing wrong with a directory as its engine left it', async () => {
    for (const name of full ? FIXTURES : (['chroma-0.4.24', 'chroma-0.6.3-then-1.5.9'] as const)) {
      const fixture = unpackFixture(name)
      const state = await readPersistState(fixture.persistDir)
      const visit = {ending: 'done', kind: undefined, point: undefined} as const
      const problems = await brokenInvariants(fixture.persistDir, visit, {
        before: state,
        expected: fixture.expected,
      })
      expect(problems, name).to.deep.equal([])
    }
  })

  it('finds nothing wrong with a switch of the index in one transaction', async () => {
    const kinds = full ? FAULT_KINDS.filter((kind) => kind !== 'SIGINT') : SAMPLE
    const {byOutcome, points, runs} = await explore('safe', kinds, ({detail}) => detail === 'COMMIT')
    expect(points.filter(({name}) => name === 'copyFile')).to.have.length(5)
    expect(points.map(({detail}) => detail)).to.include('COMMIT')
    expect(runs).to.be.greaterThan(SAMPLE.length)
    expect(byOutcome['kill before: SIGKILL']).to.be.greaterThan(0)
    expect(byOutcome['ENOSPC: exit 4']).to.be.greaterThan(0)
  })

  const MISTAKES: {
    finds: RegExp
    kinds: readonly FaultKind[]
    only: (point: Point) => boolean
    way: string
  }[] = [
    {
      way: 'deletes before the commit',
      kinds: ['kill before'],
      only: ({detail}) => detail === 'COMMIT',
      finds: /point \d+ \(sql COMMIT\), kill before, SIGKILL:.* lack \d+ ids/,
    },
    {
      way: 'does not tidy up',
      kinds: ['ENOSPC'],
      only: ({detail, name}) => name === 'copyFile' && detail.endsWith('link_lists.bin'),
      finds: /ENOSPC, exit 4:.* the new folder \S+ is left without an owner/,
    },
    {
      way: 'empties the log first',
      kinds: ['kill before'],
      only: ({name}) => name === 'mkdir',
      finds: /the highest log row \d+ is gone; the pending log row \d+ is gone/,
    },
    {
      way: 'has no transaction',
      kinds: ['kill after'],
      only: ({detail}) => detail.startsWith('UPDATE segments'),
      finds: /kill after, SIGKILL:.*max_seq_id has \d+ rows of no segment/,
    },
    {
      way: 'writes in place',
      kinds: ['kill torn'],
      only: ({bytes, detail}) => bytes !== undefined && detail.endsWith('data_level0.bin'),
      finds: /kill torn, SIGKILL:.* breaks H5: data_level0.bin is \d+ bytes long/,
    },
  ]

  for (const {finds, kinds, only, way} of MISTAKES) {
    it(`catches a command that ${way}`, async () => {
      expect(await failureOf(explore(way, kinds, only))).to.match(finds)
    })
  }

  it('numbers the calls of worker threads and child processes as well', async () => {
    const scratch = temporaryFolder()
    const script = fileURLToPath(new URL('../support/faults/many-hands.mjs', import.meta.url))
    const file = join(scratch, 'file')
    const {code, trace} = await runFaulted({args: [file], scratch, script})
    expect(code).to.equal(0)
    expect(trace.map(({detail, name}) => `${name} ${detail}`)).to.deep.equal([
      `writeFile ${file}`,
      `writeFile ${file}.thread`,
      `writeFile ${file}.child`,
      `unlink ${file}`,
    ])
    const fault = {kind: 'kill before', number: 3} as const
    const killed = await runFaulted({args: [file], fault, scratch: temporaryFolder(), script})
    expect(killed.signal).to.equal('SIGKILL')
    expect(killed.trace).to.have.length(3)
    expect(killed.leftProcess).to.equal(false)
  })
})

async function failureOf(exploring: Promise<Summary>): Promise<string> {
  return exploring.then(
    () => 'nothing was found',
    (error: Error) => error.message,
  )
}
