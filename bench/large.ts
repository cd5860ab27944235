import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {chops} from './chops.js'
import {COLLECTION} from './data/database.js'
import type {Shape} from './data/index-files.js'
import {filesOf, largeDirectory, largeDirectoryWithLog} from './data/large-directory.js'
import {canDropFromCache, dropFromCache} from './page-cache.js'
import {compare, type Row} from './results.js'
import {type Command, interleave, type InterleaveOptions} from './run.js'

const ROUNDS = 3
const PENDING_ROWS = 200_000
const MEMORY_GOAL = 200e6
const READ_AND_CHECK = fileURLToPath(new URL('data/read-and-check.mjs', import.meta.url))
const CHECK_MEMORY_GOAL = 400e6
const CHECK_TIME_GOAL = 1.3
/** Each file about once. */
const PASS_READ_GOAL = 1.5

/** What reads every byte of a large directory, beside reading the same bytes once and doing nothing with them. */
export async function measureLarge(shape: Shape): Promise<Row[]> {
  const applied = await largeDirectory(shape)
  const withLog = await largeDirectoryWithLog(shape, PENDING_ROWS)
  const size = `${shape.records} x ${shape.dimension}`
  const files = await filesOf(applied)
  const info = chops('db', 'info', applied)
  const logFile = join(withLog, 'chroma.sqlite3')

  const rows = [
    await besideReading(`db info, ${size}`, info, files, {goal: MEMORY_GOAL}),
    await besideReading(
      `hnsw info -v, ${size}`,
      chops('hnsw', 'info', applied, '--collection', COLLECTION, '--verbose'),
      files,
    ),
    await besideReading(`wal info, ${size}, ${PENDING_ROWS} pending`, chops('wal', 'info', withLog), [
      logFile,
    ]),
    await checkBesideSqlite(`db check, ${size}`, applied, files),
    await besideReading(`maintain, ${size}, healthy`, chops('maintain', applied, '--yes'), files, {
      memory: 'with children',
      readGoal: PASS_READ_GOAL,
    }),
  ]
  const name = `db info, ${size}, cold cache`
  const [database = ''] = files
  if (!(await canDropFromCache(database)))
    return [...rows, {name, skipped: 'dd cannot drop files from the cache here'}]
  return [...rows, await besideReading(name, info, files, {prepare: () => dropFromCache(files)})]
}

async function besideReading(
  name: string,
  command: Command,
  files: readonly string[],
  {
    goal,
    memory = true,
    prepare,
    readGoal,
  }: Partial<InterleaveOptions> & {goal?: number; readGoal?: number} = {},
): Promise<Row> {
  const reading: Command = {args: files, file: 'cat'}
  const runs = await interleave({command, reading}, {...(prepare && {prepare}), memory, rounds: ROUNDS})
  return compare(
    {name, runs: runs.get('command') ?? []},
    {name: 'cat of the same files', runs: runs.get('reading') ?? []},
    {...(goal !== undefined && {memory: goal}), ...(readGoal !== undefined && {read: readGoal})},
  )
}

/** Beside reading the same files once and SQLite's own check of the database, which is a part of it. */
async function checkBesideSqlite(name: string, persistDir: string, files: readonly string[]): Promise<Row> {
  const command = chops('db', 'check', persistDir, '--severity', 'W')
  const base: Command = {args: [READ_AND_CHECK, ...files], file: process.execPath}
  const runs = await interleave({base, command}, {memory: true, rounds: ROUNDS})
  return compare(
    {name, runs: runs.get('command') ?? []},
    {name: "cat of the same files, and SQLite's integrity_check", runs: runs.get('base') ?? []},
    {memory: CHECK_MEMORY_GOAL, ratio: CHECK_TIME_GOAL},
  )
}
