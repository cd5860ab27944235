import {cp, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {temporaryFolder} from '../test/support/fixtures.js'
import {bareFtsRebuild, copying} from './bare.js'
import {chops} from './chops.js'
import {chromaDirectory, type Contents} from './data/chroma-directory.js'
import {chromaWheel, pythonTool} from './data/python-tool.js'
import {compare, type Row} from './results.js'
import {type Command, interleave} from './run.js'

const ROUNDS = 5
const CONTENTS: Contents = {deleted: 0, dimension: 384, documents: true, records: 20_000, threshold: 1000}
const SIZE = '20000 x 384 with documents'

/** What keeps a directory in order, beside the Python tool, `chroma vacuum`, and the least that the job takes. */
export async function measureUpkeep(): Promise<Row[]> {
  const python = await pythonTool()
  if (!('path' in python)) return [{name: `fts rebuild, db backup and db vacuum, ${SIZE}`, ...python}]
  const chroma = await chromaWheel()
  const directory = await chromaDirectory(python.path, CONTENTS)
  const folder = temporaryFolder()
  const copy = join(folder, 'persist')
  const backup = join(folder, 'backup')
  const commands: Record<string, Command> = {
    backup: chops('db', 'backup', copy, '--output', backup),
    copying: copying(copy, backup),
    fts: chops('fts', 'rebuild', copy, '--yes'),
    ftsPython: {args: ['fts', 'rebuild', copy, '--yes'], file: python.path},
    ftsSql: bareFtsRebuild(copy),
    vacuum: chops('db', 'vacuum', copy, '--yes'),
    ...('path' in chroma && {vacuumChroma: {args: ['vacuum', '--path', copy, '--force'], file: chroma.path}}),
  }
  const runs = await interleave(commands, {
    memory: 'with children',
    async prepare() {
      for (const made of [copy, backup]) await rm(made, {force: true, recursive: true})
      await cp(directory, copy, {recursive: true})
    },
    rounds: ROUNDS,
  })
  const measured = (name: string, key: string) => ({name, runs: runs.get(key) ?? []})
  const fts = measured(`fts rebuild, ${SIZE}`, 'fts')
  const vacuum = `db vacuum, ${SIZE}`
  return [
    compare(fts, measured('Python tool, fts rebuild', 'ftsPython'), {ratio: 0.4}),
    compare(fts, measured('the same SQL, and no more', 'ftsSql'), {ratio: 1.3}),
    compare(
      measured(`db backup, ${SIZE}`, 'backup'),
      measured('cp -a and sync of the same files', 'copying'),
      {
        ratio: 1.3,
      },
    ),
    'path' in chroma
      ? compare(measured(vacuum, 'vacuum'), measured('chroma vacuum of Chroma 1.5.9', 'vacuumChroma'))
      : {name: vacuum, ...chroma},
  ]
}
