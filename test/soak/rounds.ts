import type {EngineVersion} from '../engines/support/engines.js'

import {anyCommand, type Call} from './commands.js'
import {Dice, SPACES, THRESHOLDS} from './dice.js'
import {Model, type Operation, PLACES} from './model.js'

/** How a command is killed: after this part of the time that it usually takes, or at this call that leaves a mark on the disk. */
export type Kill = {atCall: number} | {atPart: number}

/** A turn of an engine or a command of chops. A list of rounds is a script: any part of it can be run as well. */
export type Round =
  (Call & {kill?: Kill; turn: 'chops'}) | {operations: Operation[]; turn: 'engine'; version: EngineVersion}

const MOST_OPERATIONS = 5
const MOST_COMMANDS = 3
/** Of each collection, so that adds meet deletes. */
const IDS = 500
const LARGEST_BATCH = 60
const UPGRADES = 0.12
const KILLS = 0.3

/** Random rounds that begin with an engine: every turn of one is followed by one to three commands. */
export function randomRounds(seed: number, count: number, versions: readonly EngineVersion[]): Round[] {
  const dice = new Dice(seed)
  // A model of its own, to know which collections there are: what a kill leaves open does not matter here.
  const model = new Model()
  const rounds: Round[] = []
  let release = dice.chance(0.5) ? 0 : dice.below(versions.length)
  while (rounds.length < count) {
    if (release + 1 < versions.length && dice.chance(UPGRADES)) release += 1
    const version = versions[release] as EngineVersion
    const operations = Array.from({length: 1 + dice.below(MOST_OPERATIONS)}, () => {
      const operation = anyOperation(dice, model)
      model.apply(operation, version)
      return operation
    })
    rounds.push({operations, turn: 'engine', version})
    const commands = 1 + dice.below(MOST_COMMANDS)
    for (let i = 0; i < commands && model.collections.size > 0; i++) {
      const call = anyCommand({collection: dice.pick([...model.collections.values()]), dice, version})
      if (!call) continue
      const kill = dice.chance(0.5) ? {atCall: 1 + dice.below(150)} : {atPart: dice.below(120) / 100}
      rounds.push({turn: 'chops', ...call, ...(dice.chance(KILLS) && {kill})})
    }
  }

  return rounds
}

function anyOperation(dice: Dice, model: Model): Operation {
  const at = dice.pick(PLACES)
  if (!model.at(at)) {
    const {batch, sync} = dice.pick(THRESHOLDS)
    const metadata = {'hnsw:batch_size': batch, 'hnsw:M': dice.pick([6, 16]), 'hnsw:sync_threshold': sync}
    return {at, do: 'create', metadata, space: dice.pick(SPACES)}
  }

  if (dice.chance(0.04)) return {at, do: 'drop'}
  const from = dice.below(IDS)
  const ids = Array.from({length: 1 + dice.below(LARGEST_BATCH)}, (_, i) => from + i * (1 + (from % 3)))
  const seed = dice.below(2 ** 30)
  const what = dice.pick(['add', 'add', 'add', 'upsert', 'update', 'delete', 'describe'] as const)
  if (what === 'delete') return {at, do: what, ids}
  if (what === 'describe') return {at, do: what, ids, seed}
  return {at, do: what, ids, plain: dice.chance(0.2), seed}
}
