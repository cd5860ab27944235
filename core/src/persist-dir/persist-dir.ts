import {stat} from 'node:fs/promises'
import {basename, join, resolve} from 'node:path'

import {notFound} from '../errors.js'
import {openDatabase, type OpenedDatabase} from '../sqlite/open.js'
import {type Generation, readGeneration} from './generation.js'

/** The one database file of a persist directory. */
export const DATABASE_FILE = 'chroma.sqlite3'

/** An open persist directory: the database connection, and what its schema says about the engine that owns it. */
export interface PersistDir {
  close(): Promise<void>
  /** Absolute path of `chroma.sqlite3`. */
  databaseFile: string
  db: OpenedDatabase
  generation: Generation
  /** Absolute path of the directory. */
  path: string
  /** What the user should know about how the directory was opened, one sentence each. */
  warnings: string[]
}

/**
 * Opens a persist directory. In `read` mode no byte and no file of it is created or changed, whatever state it is in.
 *
 * @throws ChopsError `not-found` when the folder does not exist or is not a Chroma directory, `damaged` when its
 * database cannot be read, `in-use` when it stays locked
 */
export async function openPersistDir(path: string, mode: 'read' | 'write' = 'read'): Promise<PersistDir> {
  const directory = resolve(path)
  const databaseFile = join(directory, DATABASE_FILE)
  await requireChromaDirectory(directory, databaseFile)
  const db = await openDatabase(databaseFile, {mode})
  try {
    const generation = await readGeneration(db, databaseFile)
    const warnings = db.source === 'direct' ? [] : [recoveredText(databaseFile, db.source)]
    return {close: () => db.close(), databaseFile, db, generation, path: directory, warnings}
  } catch (error) {
    await db.close()
    throw error
  }
}

/** What to say of a database that is read from a private copy. */
export function recoveredText(
  databaseFile: string,
  source: OpenedDatabase['source'] = 'recovered copy',
): string {
  if (source === 'merged copy') {
    return `${databaseFile} is in WAL mode, and its last writes are in ${basename(databaseFile)}-wal; chops reads a private copy that holds both.`
  }

  return (
    `${databaseFile} was left in the middle of a write; chops reads a private copy in which SQLite has undone it. ` +
    'Opening the directory with Chroma once repairs the original.'
  )
}

/** @throws ChopsError `not-found` when the folder does not exist or holds no `chroma.sqlite3` */
export async function requireChromaDirectory(directory: string, databaseFile: string): Promise<void> {
  const folder = await stat(directory).catch(absent)
  if (!folder) {
    throw notFound(`The persist directory ${directory} does not exist.`, {
      file: directory,
      next: 'Give the folder that Chroma was started with: the one that holds chroma.sqlite3.',
    })
  }

  const file = folder.isDirectory() ? await stat(databaseFile).catch(absent) : undefined
  if (!file) {
    throw notFound(`${directory} is not a Chroma persist directory: it holds no ${DATABASE_FILE}.`, {
      file: directory,
      next: 'Give the folder that Chroma was started with: the one that holds chroma.sqlite3.',
    })
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}
