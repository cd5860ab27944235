import type {Engines, Failure} from './run-rounds.js'
import type {Round} from './rounds.js'

import {runRounds} from './run-rounds.js'

export interface Shrunk {
  failure: Failure
  rounds: Round[]
}

/**
 * Looks for the shortest list of rounds that fails in the same way, by running ever smaller parts of it: halves, quarters, at
 * last single rounds and single operations of an engine. Ends at the deadline with what it has by then.
 *
 * @returns undefined when the rounds do not fail again, as a kill by time may not
 */
export async function shrink(
  rounds: readonly Round[],
  failure: Failure,
  engines: Engines,
  deadline: number,
): Promise<Shrunk | undefined> {
  const wanted = kindOf(failure)
  const failing = async (candidate: readonly Round[]): Promise<Shrunk | undefined> => {
    const found = await runRounds(candidate, engines)
    return found && kindOf(found) === wanted
      ? {failure: found, rounds: candidate.slice(0, found.at + 1)}
      : undefined
  }

  let best = await failing(rounds.slice(0, failure.at + 1))
  if (!best) return undefined
  for (let size = Math.ceil(best.rounds.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = best.rounds.length - 1 - size; from > -size && Date.now() < deadline; from -= size) {
      const start = Math.max(0, from)
      const without: Round[] = [...best.rounds.slice(0, start), ...best.rounds.slice(from + size)]
      best = (without.length > 0 && (await failing(without))) || best
    }
  }

  return withFewerOperations(best, failing, deadline)
}

async function withFewerOperations(
  shrunk: Shrunk,
  failing: (rounds: readonly Round[]) => Promise<Shrunk | undefined>,
  deadline: number,
): Promise<Shrunk> {
  let best = shrunk
  for (let at = best.rounds.length - 1; at >= 0; at--) {
    const operations = operationsOf(best.rounds[at])
    for (let i = operations.length - 1; i >= 0 && Date.now() < deadline; i--) {
      const round = best.rounds[at] as Extract<Round, {turn: 'engine'}>
      const fewer = {...round, operations: operationsOf(round).toSpliced(i, 1)}
      best = (await failing(best.rounds.with(at, fewer))) ?? best
    }
  }

  return best
}

function operationsOf(round: Round | undefined): Extract<Round, {turn: 'engine'}>['operations'] {
  return round?.turn === 'engine' ? round.operations : []
}

/** What went wrong, without the numbers and names that are others in a shorter run. */
function kindOf({problem}: Failure): string {
  const [line = ''] = problem.split('\n')
  return line
    .replaceAll(
      /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|[\w-]+\/[\w-]+\/[\w-]+: |<persist dir>.*? ends|\d+|: (id-|päth).*/g,
      '',
    )
    .slice(0, 60)
}
