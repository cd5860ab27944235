import {cp, mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {createChromaDatabase} from '../core/src/persist-dir/create.js'
import {openPersistDir} from '../core/src/persist-dir/persist-dir.js'
import {temporaryFolder} from '../test/support/fixtures.js'
import {chops} from './chops.js'
import {chromaDirectory, type Contents} from './data/chroma-directory.js'
import {pythonTool} from './data/python-tool.js'
import {compare, type Row} from './results.js'
import {type Command, interleave, run} from './run.js'

const ROUNDS = 5
const SNAPSHOT_GOAL = 0.4
const RESTORE_GOAL = 1
const CONTENTS: Contents = {deleted: 0, dimension: 384, documents: true, records: 20_000, threshold: 1000}
const SIZE = '20000 x 384 with documents'
const FILL_TABLES = fileURLToPath(new URL('data/fill-tables.mjs', import.meta.url))

/** What takes a collection out of a directory and brings it back. */
export async function measureMoving(): Promise<Row[]> {
  const python = await pythonTool()
  if (!('path' in python)) return [{name: `collection snapshot and restore, ${SIZE}`, ...python}]
  const directory = await chromaDirectory(python.path, CONTENTS)
  const folder = temporaryFolder()
  const place = (name: string): string => join(folder, name)
  const [persist, beside, made, floor] = ['persist', 'beside', 'made', 'floor'].map((name) =>
    place(name),
  ) as [string, string, string, string]
  await cp(directory, persist, {recursive: true})
  await cp(directory, beside, {recursive: true})
  const empty = await emptyDatabase(persist, place('empty'))
  const snapshot = place('docs.snapshot')
  const taking = ['collection', 'snapshot', persist, '--collection', 'docs', '--yes', '--output']
  await run(chops(...taking, snapshot))

  const commands: Record<string, Command> = {
    snapshot: chops(...taking, place('again.snapshot')),
    python: {args: [...taking, place('python.snapshot')], file: python.path},
    restore: chops('collection', 'restore', made, '--input', snapshot, '--yes'),
    beside: chops('collection', 'restore', beside, '--input', snapshot, '--as', 'copy', '--yes'),
    floor: {args: [FILL_TABLES, snapshot, join(floor, 'chroma.sqlite3')], file: process.execPath},
  }
  const runs = await interleave(commands, {
    memory: 'with children',
    async prepare() {
      for (const name of ['again.snapshot', 'python.snapshot', 'made', 'floor', 'beside'])
        await rm(place(name), {force: true, recursive: true})
      await cp(directory, beside, {recursive: true})
      await cp(empty, floor, {recursive: true})
    },
    rounds: ROUNDS,
  })
  const measured = (name: string, key = name) => ({name, runs: runs.get(key) ?? []})
  const taken = measured(`collection snapshot, ${SIZE}`, 'snapshot')
  const restored = measured(`collection restore, ${SIZE}`, 'restore')
  const filled = measured('plain SQL that fills the tables', 'floor')
  return [
    compare(taken, measured('Python tool, collection snapshot', 'python'), {ratio: SNAPSHOT_GOAL}),
    compare(restored, measured('collection snapshot', 'snapshot'), {ratio: RESTORE_GOAL}),
    compare(restored, filled),
    compare(measured(`collection restore, ${SIZE}, beside 20000`, 'beside'), filled),
    compare(filled, measured('collection snapshot', 'snapshot')),
  ]
}

/** A directory with the tables of another one, and nothing in them. */
async function emptyDatabase(persist: string, folder: string): Promise<string> {
  const dir = await openPersistDir(persist)
  const {schema} = dir.generation
  await dir.close()
  await mkdir(folder)
  await createChromaDatabase(folder, schema)
  return folder
}
