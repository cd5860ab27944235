// `npm run test:soak -- [--minutes 60] [--seed 1] [--rounds 150] [--shrink-minutes 10] [--replay FILE]`. See README.md.
import {cpSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {parseArgs} from 'node:util'

import type {Failure} from './run-rounds.js'

import {installedEngines} from './engines.js'
import {randomRounds, type Round} from './rounds.js'
import {runRounds} from './run-rounds.js'
import {shrink} from './shrink.js'

const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/chops-soak/', import.meta.url))

const {values} = parseArgs({
  options: {
    minutes: {default: '60', type: 'string'},
    replay: {type: 'string'},
    rounds: {default: '150', type: 'string'},
    seed: {default: '1', type: 'string'},
    'shrink-minutes': {default: '10', type: 'string'},
  },
})
const deadline = Date.now() + 60_000 * Number(values.minutes)
const engines = await installedEngines()
if (engines.size === 0) process.exit(2)
if (values.replay === undefined) {
  for (let seed = Number(values.seed); Date.now() < deadline; seed++) {
    console.log(`\n== seed ${seed}`)
    const rounds = randomRounds(seed, Number(values.rounds), [...engines.keys()])
    if (await hasFailed(rounds, `seed-${seed}`)) process.exitCode = 1
  }
} else {
  const rounds = JSON.parse(readFileSync(values.replay, 'utf8')) as Round[]
  if (await hasFailed(rounds, 'replay')) process.exitCode = 1
}

/** Runs the rounds; keeps what fails: the script, the directory as it was then, and the shortest script that fails alike. */
async function hasFailed(rounds: Round[], name: string): Promise<boolean> {
  const failure = await runRounds(rounds, engines, (index, text) => console.log(`${index}: ${text}`))
  if (!failure) return false
  console.error(`\n${name} fails at round ${failure.at}: ${failure.problem}`)
  const folder = join(FOLDER, name)
  rmSync(folder, {force: true, recursive: true})
  keep(folder, rounds.slice(0, failure.at + 1), failure)
  const shrunk = await shrink(
    rounds,
    failure,
    engines,
    Date.now() + 60_000 * Number(values['shrink-minutes']),
  )
  if (shrunk) {
    console.error(
      `\nThe shortest list of rounds found that fails alike, at its end: ${shrunk.failure.problem}`,
    )
    console.error(JSON.stringify(shrunk.rounds, undefined, 1))
    keep(join(folder, 'shortest'), shrunk.rounds, shrunk.failure)
  } else {
    console.error('\nIt does not fail again: a kill met another moment, or an engine another order.')
  }

  console.error(`\nKept in ${folder}; run it again with npm run test:soak -- --replay <rounds.json>`)
  return true
}

function keep(folder: string, rounds: Round[], {persistDir, problem}: Failure): void {
  mkdirSync(folder, {recursive: true})
  writeFileSync(join(folder, 'rounds.json'), JSON.stringify(rounds))
  writeFileSync(join(folder, 'problem.txt'), `${problem}\n`)
  cpSync(persistDir, join(folder, 'persist'), {recursive: true})
}
