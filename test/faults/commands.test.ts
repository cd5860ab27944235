import {expect} from 'chai'
import {existsSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {explorePoints} from '../support/faults/explore.js'
import {FAULT_KINDS, runFaulted} from '../support/faults/faulted-run.js'
import {brokenInvariants} from '../support/faults/invariants.js'
import {readPersistState} from '../support/faults/persist-state.js'
import {type FixtureName, temporaryFolder, unpackFixture} from '../support/fixtures.js'

interface ChangingCommand {
  args: string[]
  /** The fixture of the short sample. */
  fixture: FixtureName
  /** Takes long, and shows little more than the others. */
  isForFull?: boolean
  /** See `Circumstances`. */
  isSingleChange?: boolean
  /** A fixture on which the command rightly refuses to work. */
  refusedOn?: FixtureName
  /** What tells it from another test of the same command. */
  variant?: string
}

const DIR = '<persist dir>'
const CHURNED = ['--collection', 'churned', '--database', 'default_database']

/** Every command that changes a persist directory; one that is not built is left out. */
const COMMANDS: ChangingCommand[] = [
  {args: ['db', 'clean', DIR], fixture: 'chroma-0.6.3'},
  {args: ['db', 'vacuum', DIR], fixture: 'chroma-1.0.16'},
  {args: ['fts', 'rebuild', DIR], fixture: 'chroma-0.5.23'},
  {args: ['hnsw', 'config', DIR, ...CHURNED, '--search-ef', '77'], fixture: 'chroma-1.5.9'},
  {
    args: ['hnsw', 'rebuild', DIR, ...CHURNED, '--method', 'repair'],
    fixture: 'chroma-1.5.9',
    isSingleChange: true,
    variant: 'by repair',
  },
  {
    args: ['hnsw', 'rebuild', DIR, ...CHURNED, '--method', 'full'],
    fixture: 'chroma-1.5.9',
    isSingleChange: true,
    variant: 'in full',
  },
  {
    args: ['hnsw', 'rebuild', DIR, ...CHURNED, '--no-backup', '--space', 'l2', '--m', '12'],
    fixture: 'chroma-0.4.24',
    isSingleChange: true,
    variant: 'without a backup, with another space',
  },
  {args: ['maintain', DIR], fixture: 'chroma-0.6.3-then-1.5.9', isForFull: true},
  {args: ['wal', 'clean', DIR], fixture: 'chroma-0.6.3'},
  {
    args: ['wal', 'commit', DIR, '--skip', 'defaults,odd-name_1,wal_only'],
    fixture: 'chroma-0.6.3',
    variant: 'added to the graph',
  },
  {
    args: ['wal', 'commit', DIR, '--skip', 'churned,odd-name_1,defaults'],
    fixture: 'chroma-1.5.9',
    isSingleChange: true,
    variant: 'of a collection without an index',
  },
  {args: ['wal', 'commit', DIR], fixture: 'chroma-0.5.5', isForFull: true, variant: 'of all collections'},
  {args: ['wal', 'config', DIR, '--purge', 'off'], fixture: 'chroma-1.0.16', refusedOn: 'chroma-0.4.24'},
]

/** The generations differ in what a switch has to change. */
const FULL_FIXTURES: FixtureName[] = ['chroma-0.4.24', 'chroma-0.6.3', 'chroma-1.5.9']
/** Runs for each command in the short sample. */
const SAMPLE = 2

const full = process.env.CHOPS_FAULTS === 'full'
const root = fileURLToPath(new URL('../../', import.meta.url))

function isBuilt({args}: ChangingCommand): boolean {
  const words = args.slice(0, args.indexOf(DIR))
  const plugins = readdirSync(join(root, 'plugins')).map((name) => join(root, 'plugins', name))
  return [root, ...plugins].some((folder) => existsSync(`${join(folder, 'dist', 'commands', ...words)}.js`))
}

describe('a command that is killed or meets a fault', function () {
  this.timeout(full ? 3_600_000 : 120_000)

  for (const command of COMMANDS.filter(
    (candidate) => isBuilt(candidate) && (full || !candidate.isForFull),
  )) {
    const {args, variant} = command
    const words = args.slice(0, args.indexOf(DIR)).join(' ')
    const fixtures = full ? FULL_FIXTURES.filter((name) => name !== command.refusedOn) : [command.fixture]
    for (const fixture of fixtures) {
      const title = [words, variant].filter(Boolean).join(', ')
      it(`leaves every record and the old or the new index in force: ${title} (${fixture})`, async () => {
        const {points, runs} = await explore(command, fixture)
        expect(points.some(({changes}) => changes)).to.equal(true)
        expect(runs).to.be.greaterThan(1)
      })
    }
  }
})

async function explore(command: ChangingCommand, fixture: FixtureName): ReturnType<typeof explorePoints> {
  const {expected, persistDir} = unpackFixture(fixture)
  const before = await readPersistState(persistDir)
  const args = (dir: string): string[] => [...command.args.map((arg) => (arg === DIR ? dir : arg)), '--yes']
  const {isSingleChange = false} = command

  /** What a kill left behind must not be in the way of the next run, which leaves nothing more. */
  async function problemsOfSecondRun(dir: string): Promise<string[]> {
    const killed = await readPersistState(dir)
    const {code, stderr} = await runFaulted({args: args(dir), scratch: temporaryFolder()})
    const visit = {ending: 'done', kind: undefined, point: undefined} as const
    const problems = await brokenInvariants(dir, visit, {before: killed, expected})
    const failed = code === 0 ? [] : [`exit ${code}: ${stderr.trim()}`]
    return [...failed, ...problems].map((problem) => `run again: ${problem}`)
  }

  return explorePoints({
    args,
    async check(dir, visit) {
      const problems = await brokenInvariants(dir, visit, {before, expected, isSingleChange})
      return full && visit.kind === 'kill before'
        ? [...problems, ...(await problemsOfSecondRun(dir))]
        : problems
    },
    kinds: FAULT_KINDS,
    prepare: () => persistDir,
    ...(!full && {atMost: SAMPLE, only: ({changes, detail}) => changes && !detail.startsWith('PRAGMA')}),
  })
}
