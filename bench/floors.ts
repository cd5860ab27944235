import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {sizeOf} from '../core/src/persist-dir/sizes.js'
import {temporaryFolder} from '../test/support/fixtures.js'
import {bareFtsRebuild, bareSql, copying, thenHashing} from './bare.js'
import {chops} from './chops.js'
import {COLLECTION} from './data/database.js'
import type {Shape} from './data/index-files.js'
import {copyDirectory, largeDirectoryWithDocuments} from './data/large-directory.js'
import {compare, type Row} from './results.js'
import {type Command, interleave} from './run.js'
import {touchMemory} from './touch-memory.js'

/** Each takes up to a minute or two. */
const ROUNDS = 2
const LOGGED_ROWS = 200_000
const GOAL = 1.3
/** What is written may be a copy of the directory, and a file beside it until then. */
const MEMORY_PER_BYTE = 2
const FTS_GOAL = 1.1

/** What copies or rewrites much of a large directory, beside the least that the same job takes. */
export async function measureFloors(shape: Shape): Promise<Row[]> {
  const directory = await largeDirectoryWithDocuments(shape, LOGGED_ROWS)
  const {apparent: size} = await sizeOf(directory)
  const folder = temporaryFolder()
  const [copy, made] = [join(folder, 'persist'), join(folder, 'made')]
  const jobs: {bases: Record<string, Command>; command: Command; goal: number; name: string}[] = [
    {
      bases: {
        'cp -a and sync of the same files': copying(copy, made),
        'cp -a, sync and SHA-256': thenHashing(copying(copy, made), made),
      },
      command: chops('db', 'backup', copy, '--output', made),
      goal: GOAL,
      name: 'db backup',
    },
    {
      bases: {
        'plain SQL, nothing checked': bareSql('snapshot', copy, made),
        'plain SQL and SHA-256': thenHashing(bareSql('snapshot', copy, made), made),
      },
      command: chops(
        'collection',
        'snapshot',
        copy,
        '--collection',
        COLLECTION,
        '--compress',
        'none',
        '--output',
        made,
      ),
      goal: GOAL,
      name: 'collection snapshot, uncompressed',
    },
    {
      bases: {
        'plain SQL and JSON': bareSql('export', copy),
      },
      command: chops('wal', 'export', copy),
      goal: GOAL,
      name: `wal export, ${LOGGED_ROWS} rows`,
    },
    {
      bases: {
        'DELETE and VACUUM': bareSql('clean', copy),
      },
      command: chops('wal', 'clean', copy, '--yes'),
      goal: GOAL,
      name: `wal clean, ${LOGGED_ROWS} rows`,
    },
    {
      bases: {
        'the same SQL, and no more': bareFtsRebuild(copy),
      },
      command: chops('fts', 'rebuild', copy, '--yes'),
      goal: FTS_GOAL,
      name: 'fts rebuild',
    },
  ]
  const rows: Row[] = []
  for (const {bases, command, goal, name} of jobs) {
    const runs = await interleave(
      {command, ...bases},
      {
        memory: 'with children',
        async prepare() {
          await rm(folder, {force: true, recursive: true})
          await mkdir(copy, {recursive: true})
          await copyDirectory(directory, copy)
          await touchMemory(MEMORY_PER_BYTE * size)
        },
        rounds: ROUNDS,
      },
    )
    const measured = (title: string, key: string) => ({name: title, runs: runs.get(key) ?? []})
    const title = `${name}, ${shape.records} x ${shape.dimension} with documents`
    for (const base of Object.keys(bases))
      rows.push(compare(measured(title, 'command'), measured(base, base), {ratio: goal}))
  }

  return rows
}
