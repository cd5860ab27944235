import {cp, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {temporaryFolder} from '../test/support/fixtures.js'
import {chops} from './chops.js'
import {COLLECTION} from './data/database.js'
import {searchableDirectory} from './data/searchable-directory.js'
import {compare, type Row} from './results.js'
import {type Command, interleave, type Run} from './run.js'

const ROUNDS = 3
const FEWEST = 1000
const RECORDS = [FEWEST, 10_000, 100_000]
const DIMENSION = 384
/** One record in so many waits in the log. */
const PENDING = 100

/** How time and memory grow with the number of records: each command beside itself on the fewest. */
export async function measureGrowth(): Promise<Row[]> {
  const measured = new Map<number, Map<string, Run[]>>()
  for (const records of RECORDS) measured.set(records, await measureAt(records))
  const runsOf = (records: number, name: string): Run[] => measured.get(records)?.get(name) ?? []
  return [...(measured.get(FEWEST)?.keys() ?? [])].flatMap((name) =>
    RECORDS.map((records) =>
      compare(
        {name: `${name}, ${records} x ${DIMENSION}`, runs: runsOf(records, name)},
        {name: `itself, ${FEWEST} x ${DIMENSION}`, runs: runsOf(FEWEST, name)},
      ),
    ),
  )
}

async function measureAt(records: number): Promise<Map<string, Run[]>> {
  const directory = await searchableDirectory({dimension: DIMENSION, records}, records / PENDING)
  const folder = temporaryFolder()
  const copy = join(folder, 'persist')
  const snapshot = join(folder, 'bench.snapshot')
  const collection = ['--collection', COLLECTION]
  const commands: Record<string, Command> = {
    'db info': chops('db', 'info', copy),
    'db check': chops('db', 'check', copy, '--severity', 'C'),
    'hnsw info -v': chops('hnsw', 'info', copy, ...collection, '--verbose'),
    'wal commit': chops('wal', 'commit', copy, '--yes'),
    'hnsw rebuild': chops('hnsw', 'rebuild', copy, ...collection, '--method', 'full', '--yes', '--no-backup'),
    'collection snapshot': chops('collection', 'snapshot', copy, ...collection, '--output', snapshot),
  }
  return interleave(commands, {
    memory: 'with children',
    async prepare() {
      for (const made of [copy, snapshot]) await rm(made, {force: true, recursive: true})
      await cp(directory, copy, {recursive: true})
    },
    rounds: ROUNDS,
  })
}
