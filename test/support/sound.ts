import {expect} from 'chai'

import type {PersistState} from './faults/persist-state.js'
import type {Expected, FixtureName} from './fixtures.js'

import {brokenInvariants} from './faults/invariants.js'
import {readPersistState} from './faults/persist-state.js'
import {unpackFixture} from './fixtures.js'

const states = new Map<FixtureName, Promise<PersistState>>()

/** What a fixture is before anything is done to it, read once. */
export async function stateOf(name: FixtureName): Promise<PersistState> {
  const state = states.get(name) ?? readPersistState(unpackFixture(name).persistDir)
  states.set(name, state)
  return state
}

/**
 * Holds a directory against what it was before a command that works on log and index: every record of the fixture is
 * there with its vector, in the index or in the log, and nothing else changed.
 */
export async function expectSound(
  persistDir: string,
  {before, expected, fine}: {before: PersistState; expected: Expected; fine?: RegExp},
): Promise<void> {
  const broken = await brokenInvariants(
    persistDir,
    {ending: 'done', kind: undefined, point: undefined},
    {before, expected},
  )
  expect(broken.filter((problem) => !fine?.test(problem))).to.deep.equal([])
}

export {type PersistState, readPersistState} from './faults/persist-state.js'
