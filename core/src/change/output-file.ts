import {randomUUID} from 'node:crypto'
import {open, realpath, rename, rm, stat} from 'node:fs/promises'
import {basename, dirname, join, relative, resolve, sep} from 'node:path'

import {usage} from '../errors.js'
import {fsyncPath} from './durable.js'
import {namingFile} from './file-writes.js'

export interface OutputFile {
  exists: boolean
  /** Absolute, with symbolic links resolved. */
  path: string
}

/** Writes a chunk; settles when the next one may follow. */
export type Write = (chunk: Uint8Array) => Promise<void>

/**
 * Looks at where a file is to be written, before anything is written.
 *
 * @throws ChopsError `usage` for a place that is not a file, one in a folder that is not there, or one of Chroma's own files
 */
export async function inspectOutputFile(file: string, persistDir: string): Promise<OutputFile> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (isMissing(error)) return
    throw error
  })
  if (found && !found.isFile()) {
    throw usage(`${file} is not a regular file.`, {
      file,
      next: 'Name a file that does not exist yet, or one that may be overwritten.',
    })
  }

  const path = found ? await realpath(file) : join(await realFolder(dirname(resolve(file))), basename(file))
  const inside = relative(await realpath(persistDir), path)
  const isInside = inside !== '' && !inside.startsWith('..')
  // Sidecars as well: SQLite would take a file of that name for its own.
  if (isInside && (inside.includes(sep) || inside.startsWith('chroma.sqlite3'))) {
    throw usage(`${file} is a place for Chroma's own files.`, {
      file,
      next: 'Name a file outside of the persist directory.',
    })
  }

  return {exists: found !== undefined, path}
}

/**
 * The path of a folder that something is to be written into, with symbolic links resolved.
 *
 * @throws ChopsError `usage` where there is no such folder
 */
export async function realFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (isMissing(error)) return
    throw error
  })
  if (found?.isDirectory()) return realpath(folder)
  throw usage(`The folder ${folder} ${found ? 'is a file' : 'does not exist'}.`, {
    file: folder,
    next: 'Make it first, or name another place.',
  })
}

function isMissing({code}: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/**
 * Writes a file under a temporary name beside it, makes it durable and renames it, so that there is the whole file or
 * what was there before. The temporary file goes when `work` fails.
 */
export async function writeOutputFile<T>(path: string, work: (write: Write) => Promise<T>): Promise<T> {
  return createOutputFile(path, async (temporary) => {
    const handle = await open(temporary, 'wx')
    try {
      return await work((chunk) => namingFile(path, handle.writeFile(chunk)))
    } finally {
      await handle.close()
    }
  })
}

/** Like `writeOutputFile`, for work that creates and closes the file itself. */
export async function createOutputFile<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const result = await work(temporary)
    await fsyncPath(temporary)
    await rename(temporary, path)
    await fsyncPath(dirname(path))
    return result
  } catch (error) {
    await rm(temporary, {force: true})
    throw error
  }
}
