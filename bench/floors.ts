import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {temporaryFolder} from '../test/support/fixtures.js'
import {bareFtsRebuild, bareSql, copying} from './bare.js'
import {chops} from './chops.js'
import {COLLECTION} from './data/database.js'
import type {Shape} from './data/index-files.js'
import {copyDirectory, largeDirectoryWithDocuments} from './data/large-directory.js'
import {compare, type Row} from './results.js'
import {type Command, interleave} from './run.js'

/** Each takes up to a minute or two. */
const ROUNDS = 1
const LOGGED_ROWS = 200_000
const GOAL = 1.3
const FTS_GOAL = 1.1

/** What copies or rewrites much of a large directory, beside the least that the same job takes. */
export async function measureFloors(shape: Shape): Promise<Row[]> {
  const directory = await largeDirectoryWithDocuments(shape, LOGGED_ROWS)
  const folder = temporaryFolder()
  const [copy, made] = [join(folder, 'persist'), join(folder, 'made')]
  const jobs: {base: Command; baseName: string; command: Command; goal: number; name: string}[] = [
    {
      base: copying(copy, made),
      baseName: 'cp -a and sync of the same files',
      command: chops('db', 'backup', copy, '--output', made),
      goal: GOAL,
      name: 'db backup',
    },
    {
      base: bareSql('snapshot', copy, made),
      baseName: 'plain SQL, nothing checked',
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
      base: bareSql('export', copy),
      baseName: 'plain SQL and JSON',
      command: chops('wal', 'export', copy),
      goal: GOAL,
      name: `wal export, ${LOGGED_ROWS} rows`,
    },
    {
      base: bareSql('clean', copy),
      baseName: 'DELETE and VACUUM',
      command: chops('wal', 'clean', copy, '--yes'),
      goal: GOAL,
      name: `wal clean, ${LOGGED_ROWS} rows`,
    },
    {
      base: bareFtsRebuild(copy),
      baseName: 'the same SQL, and no more',
      command: chops('fts', 'rebuild', copy, '--yes'),
      goal: FTS_GOAL,
      name: 'fts rebuild',
    },
  ]
  const rows: Row[] = []
  for (const {base, baseName, command, goal, name} of jobs) {
    const runs = await interleave(
      {base, command},
      {
        memory: 'with children',
        async prepare() {
          await rm(folder, {force: true, recursive: true})
          await mkdir(copy, {recursive: true})
          await copyDirectory(directory, copy)
        },
        rounds: ROUNDS,
      },
    )
    const measured = (title: string, key: string) => ({name: title, runs: runs.get(key) ?? []})
    const title = `${name}, ${shape.records} x ${shape.dimension} with documents`
    rows.push(compare(measured(title, 'command'), measured(baseName, 'base'), {ratio: goal}))
  }

  return rows
}
