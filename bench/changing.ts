import {cp, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {temporaryFolder} from '../test/support/fixtures.js'
import {chops} from './chops.js'
import {chromaDirectory, type Contents} from './data/chroma-directory.js'
import {pythonTool} from './data/python-tool.js'
import {searchableDirectory} from './data/searchable-directory.js'
import {compare, type Row} from './results.js'
import {type Command, interleave} from './run.js'

const ROUNDS = 5
const GOAL = 0.6
const INDEXED: Contents = {deleted: 6000, dimension: 384, records: 20_000, threshold: 1000}
const PENDING: Contents = {deleted: 0, dimension: 384, records: 20_000, threshold: 1_000_000}
const LARGE = {dimension: 384, records: 100_000}
const FEW = 1000

/** Two and a half times what the index of the live records takes, and 200 MB. */
const MEMORY_GOAL = 2.5 * 14_000 * (4 * 384 + 4 + 4 * 32 + 8) + 200e6

/** What changes an index, beside the Python tool and beside copying the files. Each run gets a copy of the directory. */
export async function measureChanging(): Promise<Row[]> {
  const rebuild = 'hnsw rebuild, 20000 x 384, 30 % deleted'
  const commit = 'wal commit, 20000 x 384 pending, no index'
  const python = await pythonTool()
  const few = await besideCopying(await searchableDirectory(LARGE, FEW))
  if (!('path' in python)) {
    return [...[rebuild, commit].map((name) => ({name: `${name}, beside the Python tool`, ...python})), few]
  }

  const indexed = await chromaDirectory(python.path, INDEXED)
  const pending = await chromaDirectory(python.path, PENDING)
  const copy = join(temporaryFolder(), 'persist')
  const tool = (...args: string[]): Command => ({args, file: python.path})
  const rebuildArgs = ['hnsw', 'rebuild', copy, '--collection', 'docs', '--yes']
  const rebuilds = await interleave(
    {
      both: chops(...rebuildArgs),
      one: chops(...rebuildArgs, '--num-threads', '1'),
      python: tool(...rebuildArgs),
    },
    {memory: 'with children', prepare: () => renew(indexed, copy), rounds: ROUNDS},
  )
  const commitArgs = ['wal', 'commit', copy, '--yes']
  const commits = await interleave(
    {chops: chops(...commitArgs), python: tool(...commitArgs)},
    {prepare: () => renew(pending, copy), rounds: ROUNDS},
  )
  const both = {name: rebuild, runs: rebuilds.get('both') ?? []}
  return [
    compare(
      both,
      {name: 'Python tool, hnsw rebuild', runs: rebuilds.get('python') ?? []},
      {memory: MEMORY_GOAL, ratio: GOAL},
    ),
    compare({...both, name: `${rebuild}, all cores`}, {name: 'one thread', runs: rebuilds.get('one') ?? []}),
    compare(
      {name: commit, runs: commits.get('chops') ?? []},
      {name: 'Python tool, wal commit', runs: commits.get('python') ?? []},
      {ratio: GOAL},
    ),
    few,
  ]
}

/** A few pending records cost hardly more than reading and writing the files, which copying and syncing them is. */
async function besideCopying(directory: string): Promise<Row> {
  const copy = join(temporaryFolder(), 'persist')
  const copied = join(temporaryFolder(), 'copied')
  const runs = await interleave(
    {
      chops: chops('wal', 'commit', copy, '--yes'),
      copying: {args: ['-c', `cp -r "$0" "$1" && sync "$1"/*/*`, copy, copied], file: 'bash'},
    },
    {
      memory: 'with children',
      async prepare() {
        await renew(directory, copy)
        await rm(copied, {force: true, recursive: true})
      },
      rounds: 3,
    },
  )
  return compare(
    {
      name: `wal commit, ${FEW} pending into ${LARGE.records} x ${LARGE.dimension}`,
      runs: runs.get('chops') ?? [],
    },
    {name: 'cp and sync of the same files', runs: runs.get('copying') ?? []},
  )
}

async function renew(from: string, to: string): Promise<void> {
  await rm(to, {force: true, recursive: true})
  await cp(from, to, {recursive: true})
}
