import {existsSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {EngineVersion} from '../engines/support/engines.js'
import type {Space} from '../engines/support/judge.js'

import {type Dice, SPACES, THRESHOLDS} from './dice.js'
import {type ModelCollection, type Place, PLACES} from './model.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Stands for the address of a server in the arguments. */
export const SERVER = '<server>'

/** What a command is given: the arguments after the directory, and what it may do to the collection. */
export interface Call {
  args: string[]
  /** The directory is copied to this folder or archive. */
  backup?: string
  /** The collection of this file or server is made again in this place, whatever is there, or where nothing is. */
  restored?: {isNew?: boolean; path: string; place: Place}
  /** The collection of this place is written to this file or server. */
  saved?: {path: string; place: Place}
  /** The collection gets this space. */
  space?: Space
}

/** Operations create no collection there, so that some are free to pull into. */
const PULLED: Place[] = [
  ['default_tenant', 'default_database', 'pulled'],
  ['default_tenant', 'second', 'pulled'],
  ['acme', 'prod', 'pulled'],
]

const TO_SERVER = ['--to-database', 'default_database', '--to-tenant', 'default_tenant', '--url', SERVER]

interface Situation {
  /** Any of the collections. */
  collection: ModelCollection
  dice: Dice
  version: EngineVersion
}

type Command = [words: string, call?: (situation: Situation) => Call | string[] | undefined]

/**
 * The commands of a soak, each a line: its words, and what it is called with, or undefined where it does not apply. None may
 * change a record. A command that is not built is left out.
 */
const COMMANDS: Command[] = [
  ['hnsw rebuild', rebuild],
  ['hnsw rebuild', rebuild],
  ['hnsw rebuild', ({dice}) => ['--all', '--fragmentation', dice.pick(['0.02', '0.2'])]],
  [
    'hnsw config',
    ({collection, dice}) => [
      ...at(collection),
      ...thresholds(dice),
      '--search-ef',
      `${dice.pick([10, 60, 200])}`,
      ...dice.some(['--num-threads', '2', '--resize-factor', '1.3']),
    ],
  ],
  ['hnsw info', ({collection, dice}) => [...at(collection), ...dice.some(['--verbose'])]],
  ['wal commit'],
  ['wal commit', ({collection}) => ['--skip', collection.place[2]]],
  ['wal clean'],
  ['wal clean'],
  ['wal info'],
  [
    'wal config',
    ({dice, version}) => (knowsPurging(version) ? ['--purge', dice.pick(['auto', 'off'])] : undefined),
  ],
  ['wal export', () => ['--out', `${DIRECTORY}.jsonl`]],
  ['db info'],
  ['db clean', ({dice}) => dice.some(['--backups'])],
  ['db vacuum'],
  ['db check', ({dice}) => ['--fix', ...dice.some(['--verbose'])]],
  ['db backup', backup],
  [
    'fts rebuild',
    ({dice}) => dice.some(['--tokenizer', dice.pick(['trigram', 'unicode61', 'porter ascii'])]),
  ],
  ['maintain', ({dice}) => ['--fragmentation', '0.05', ...dice.some(['--backup'])]],
  ['collection list'],
  ['collection snapshot', snapshot],
  ['collection snapshot', snapshot],
  ['collection snapshot', () => ['--all', '--output', `${DIRECTORY}.snapshots`]],
  ['collection restore', restore],
  ['collection restore', restore],
  ['collection push', push],
  ['collection pull', pull],
  ['collection pull', pull],
]

/** A command that is built, with what it is called with here. */
export function anyCommand(situation: Situation): Call | undefined {
  const [words, call] = situation.dice.pick(COMMANDS.filter(([words]) => isBuilt(words)))
  const given = call ? call(situation) : []
  if (given === undefined) return undefined
  const {args, ...more} = Array.isArray(given) ? {args: given} : given
  return {args: [...words.split(' '), DIRECTORY, ...args], ...more}
}

/** Stands for the directory in the arguments. */
export const DIRECTORY = '<persist dir>'

export function isBuilt(words: string): boolean {
  const plugins = readdirSync(join(ROOT, 'plugins')).map((name) => join(ROOT, 'plugins', name))
  return [ROOT, ...plugins].some((folder) =>
    existsSync(`${join(folder, 'dist/commands', ...words.split(' '))}.js`),
  )
}

function rebuild({collection, dice}: Situation): Call {
  const args = [
    ...at(collection),
    ...dice.some(thresholds(dice)),
    ...dice.some(['--m', `${dice.pick([4, 12, 24])}`]),
    ...dice.some(['--construction-ef', `${dice.pick([40, 150])}`]),
    ...dice.some(['--search-ef', `${dice.pick([20, 120])}`]),
    ...dice.some(['--resize-factor', '1.5']),
    ...dice.some(['--num-threads', '2']),
    ...dice.some(['--no-backup']),
  ]
  if (!dice.chance(0.2)) {
    // A repair keeps M and the space.
    const methods = args.includes('--m') ? ['auto', 'full'] : ['auto', 'full', 'repair', 'repair']
    return {args: [...args, ...(dice.chance(0.7) ? ['--method', dice.pick(methods)] : [])]}
  }

  const space = dice.pick(SPACES)
  return {args: [...args, '--space', space], space}
}

function backup({dice}: Situation): Call {
  const path = `${DIRECTORY}.${dice.pick(['copy', 'tar.gz', 'tar.zst'])}`
  return {args: ['--output', path, '--verify'], backup: path}
}

function snapshot({collection: {place}, dice}: Situation): Call {
  const path = snapshotOf(place)
  const args = [...at({place}), '--output', path, ...dice.some(['--compress', 'none'])]
  return {args, saved: {path, place}}
}

/** In the place of the collection, or of another one, or of none. */
function restore({collection, dice}: Situation): Call {
  const place = dice.chance(0.6) ? collection.place : dice.pick(PLACES)
  const [tenant, database, name] = place
  const path = snapshotOf(collection.place)
  const args = ['--input', path, '--replace', '--as', name, '--database', database, '--tenant', tenant]
  return {args, restored: {path, place}}
}

/** The server has one collection, whatever was pushed last. */
function push({collection: {place}}: Situation): Call {
  return {args: [...at({place}), '--as', 'pushed', ...TO_SERVER], saved: {path: SERVER, place}}
}

function pull({dice}: Situation): Call {
  const place = dice.pick(PULLED)
  const [tenant, database, name] = place
  const to = ['--as', name, '--to-database', database, '--to-tenant', tenant]
  const args = ['--collection', 'pushed', ...to, '--url', SERVER, '--batch-size', '20']
  return {args, restored: {isNew: true, path: SERVER, place}}
}

/** One file for each collection, so that a restore finds what the last snapshot wrote, whenever that was. */
function snapshotOf(place: Place): string {
  return `${DIRECTORY}.${place.join('.')}.snapshot`
}

function thresholds(dice: Dice): string[] {
  const {batch, sync} = dice.pick(THRESHOLDS)
  return ['--batch-size', `${batch}`, '--sync-threshold', `${sync}`]
}

function at({place: [tenant, database, name]}: Pick<ModelCollection, 'place'>): string[] {
  return ['--collection', name, '--database', database, '--tenant', tenant]
}

/** The setting came with 0.5.6. */
function knowsPurging(version: EngineVersion): boolean {
  return version !== '0.4.24' && version !== '0.5.5'
}
