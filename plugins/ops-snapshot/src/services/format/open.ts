import {type HnswParameters, type ParameterSources, readHnswParameters} from '@chops/core/catalog'
import {ChopsError, damaged, notFound} from '@chops/core/errors'
import {DATABASE_FILE, type Generation, generationOf} from '@chops/core/persist-dir'
import {type Database, openDatabase} from '@chops/core/sqlite'
import {stat} from 'node:fs/promises'
import {resolve} from 'node:path'

import {contradiction, readContents, readParameterSources, type SnapshotCollection} from './contents.js'
import {parseInfo, type SnapshotInfo} from './info.js'
import {type Layout, readLayout} from './layout.js'
import {readPythonInfo} from './python-info.js'
import {isSealed} from './seal.js'

export interface SnapshotDescription {
  collection: SnapshotCollection
  /** Of the directory that it was taken from. */
  generation: Generation
  info: SnapshotInfo
  parameters: HnswParameters
  sources: ParameterSources
}

/** A snapshot file, recognised and open for reading. What its tables hold is not verified yet. */
export interface Snapshot extends SnapshotDescription {
  close(): Promise<void>
  db: Database
  /** Absolute. */
  file: string
  layout: Layout
  /** Bytes of the file. */
  size: number
}

/**
 * Opens a snapshot that chops or the Python tool wrote. The seal of the whole file is compared before SQLite sees it.
 *
 * @throws ChopsError `not-found` when there is no such file, `damaged` when it is not a snapshot or has changed
 */
export async function openSnapshot(name: string, signal?: AbortSignal): Promise<Snapshot> {
  const file = resolve(name)
  const size = await sizeOfFile(file)
  const sealed = await isSealed(file, signal)
  const db = await openDatabase(file, {mode: 'read', ...(signal && {signal})})
  try {
    if (db.source !== 'direct')
      throw contradiction(db, 'has a journal or a write-ahead log beside it, which belongs to no snapshot')
    const layout = await readLayout(db)
    if (!layout) throw contradiction(db, 'does not have the tables of a snapshot')
    if (layout === 'chops' && !sealed) throw changed(file)
    const description = await readDescription(db, layout)
    return {...description, close: () => db.close(), db, file, layout, size}
  } catch (error) {
    await db.close()
    throw error
  }
}

/**
 * What a snapshot says about itself and its collection in its small tables.
 *
 * @throws ChopsError `damaged` for what no snapshot says
 */
export async function readDescription(db: Database, layout: Layout): Promise<SnapshotDescription> {
  try {
    return await readTables(db, layout)
  } catch (error) {
    throw inSnapshotFile(db, error)
  }
}

/** Speaks of the snapshot where what reads a directory as well speaks of its database. */
function inSnapshotFile(db: Database, error: unknown): unknown {
  if (!(error instanceof ChopsError) || error.message.includes(db.file)) return error
  return damaged(error.message.replaceAll(DATABASE_FILE, db.file), {
    cause: error,
    file: db.file,
    next: 'Take the snapshot again, or use another copy of it.',
  })
}

async function readTables(db: Database, layout: Layout): Promise<SnapshotDescription> {
  const collection = await readContents(db, layout)
  const info = layout === 'chops' ? await readInfo(db) : await readPythonInfo(db, collection)
  const generation = generationOf(info.schema)
  if (!generation) throw contradiction(db, 'names a schema that no Chroma from 0.4.15 on has')
  const sources = await readParameterSources(db, collection)
  const parameters = readHnswParameters(generation, sources, collection.name)
  return {collection, generation, info, parameters, sources}
}

async function sizeOfFile(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return
    throw error
  })
  if (!found) throw notFound(`The snapshot ${file} does not exist.`, {file, next: 'Check the path.'})
  if (found.isFile()) return found.size
  throw damaged(`${file} is not a regular file.`, {
    file,
    next: 'Give the file that chops collection snapshot wrote.',
  })
}

function changed(file: string): Error {
  return damaged(`${file} is not what was written: its content does not have the checksum at its end.`, {
    file,
    next: 'Use another copy of the snapshot, or take it again.',
  })
}

async function readInfo(db: Database): Promise<SnapshotInfo> {
  const info = parseInfo(
    await db.all<{key: string; value: string}>('SELECT key, value FROM snapshot_info LIMIT 100'),
  )
  if (typeof info === 'string') throw contradiction(db, info)
  return info
}
