import {expect} from 'chai'

import type {PersistState} from './faults/persist-state.js'
import type {Expected} from './fixtures.js'

import {brokenInvariants} from './faults/invariants.js'

/**
 * Holds a directory against what it was before a command that works on log and index: every record of the fixture is
 * there with its vector, in the index or in the log, and nothing else changed.
 */
export async function expectSound(
  persistDir: string,
  {before, expected}: {before: PersistState; expected: Expected},
): Promise<void> {
  const broken = await brokenInvariants(
    persistDir,
    {ending: 'done', kind: undefined, point: undefined},
    {before, expected},
  )
  expect(broken).to.deep.equal([])
}

export {type PersistState, readPersistState} from './faults/persist-state.js'
