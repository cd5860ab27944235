import {copyFile, link, mkdir, readdir} from 'node:fs/promises'
import {join} from 'node:path'

import {cached} from './cache.js'
import {addDocuments, appendPendingLog, VECTOR_SEGMENT_ID, writeDatabase} from './database.js'
import {type Shape, writeIndexFiles} from './index-files.js'
import {uuids} from './random.js'

/** Part of the folder's name: to be raised with every change of what is generated. */
const EDITION = 1

const IDS_SEED = 0

/** A persist directory of Chroma 1.5 with one collection, whose log is applied. */
export async function largeDirectory(shape: Shape): Promise<string> {
  return cached(nameOf(shape), async (folder) => {
    await writeDatabase(folder, shape, uuids(IDS_SEED, shape.records))
    await writeIndexFiles(join(folder, VECTOR_SEGMENT_ID), shape, uuids(IDS_SEED, shape.records))
  })
}

/** The same directory with `rows` more records that are in the log only. It shares the index files, as hard links. */
export async function largeDirectoryWithLog(shape: Shape, rows: number): Promise<string> {
  const applied = await largeDirectory(shape)
  return cached(`${nameOf(shape)}-log-${rows}`, async (folder) => {
    await copyDirectory(applied, folder)
    await appendPendingLog(folder, shape, rows)
  })
}

/** The same directory with a document for each record, and `rows` rows of the log that are applied and not yet removed. */
export async function largeDirectoryWithDocuments(shape: Shape, rows: number): Promise<string> {
  const applied = await largeDirectory(shape)
  return cached(`${nameOf(shape)}-documents-${rows}`, async (folder) => {
    await copyDirectory(applied, folder)
    await addDocuments(folder, shape, rows)
  })
}

/** A copy into an empty folder that shares the index files, as hard links: chops changes no index in place. */
export async function copyDirectory(persistDir: string, folder: string): Promise<void> {
  await copyFile(join(persistDir, 'chroma.sqlite3'), join(folder, 'chroma.sqlite3'))
  await mkdir(join(folder, VECTOR_SEGMENT_ID))
  for (const file of await readdir(join(persistDir, VECTOR_SEGMENT_ID)))
    await link(join(persistDir, VECTOR_SEGMENT_ID, file), join(folder, VECTOR_SEGMENT_ID, file))
}

/** Every file of a directory that `largeDirectory` made. */
export async function filesOf(persistDir: string): Promise<string[]> {
  const index = join(persistDir, VECTOR_SEGMENT_ID)
  const names = await readdir(index)
  return [join(persistDir, 'chroma.sqlite3'), ...names.sort().map((name) => join(index, name))]
}

function nameOf({dimension, records}: Shape): string {
  return `large-${records}x${dimension}-${EDITION}`
}
