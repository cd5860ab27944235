import {access, constants, stat} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {setImmediate} from 'node:timers/promises'

import type {PersistDir} from '../persist-dir/persist-dir.js'

import {requireFreeSpace} from './disk-space.js'

/** Below this share of free pages it is not worth writing the whole file anew: Chroma fills them again. */
const WORTH_IT = 0.01

const PURPOSE = 'VACUUM of chroma.sqlite3'

/**
 * Makes sure that there is room for what VACUUM writes beside the database: a complete copy in the folder for temporary
 * files, and a rollback journal as large as the database in its own folder.
 *
 * @throws ChopsError `damaged` that says what is needed and what is free
 */
export async function requireRoomForVacuum({databaseFile, path}: PersistDir): Promise<void> {
  const temporary = await temporaryFolder()
  const {size} = await stat(databaseFile)
  const [here, there] = await Promise.all([stat(path), stat(temporary)])
  if (here.dev === there.dev) {
    await requireFreeSpace(path, 2 * size, PURPOSE)
    return
  }

  await requireFreeSpace(path, size, PURPOSE)
  await requireFreeSpace(temporary, size, PURPOSE)
}

/** What a database file consists of. */
export interface PageCounts {
  /** Pages of no table: SQLite fills them again, VACUUM gives them back. */
  free: number
  /** Bytes of a page. */
  pageSize: number
  pages: number
}

export async function readPageCounts({db}: PersistDir): Promise<PageCounts> {
  const counts = await db.get<PageCounts>(
    `SELECT page_count AS pages, freelist_count AS free, page_size AS pageSize
     FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
  )
  return counts ?? {free: 0, pages: 0, pageSize: 0}
}

/** Whether so many pages of the database are free that VACUUM makes the file noticeably smaller. */
export async function isWorthVacuuming(dir: PersistDir): Promise<boolean> {
  const {free, pages} = await readPageCounts(dir)
  return free > 0 && free >= WORTH_IT * pages
}

/**
 * Writes the database anew without its free pages, all tenants and databases at once. It is atomic: whatever stops it,
 * SQLite restores the file. See `requireRoomForVacuum`.
 *
 * @param signal heeded until SQLite begins
 */
export async function vacuum({db}: PersistDir, signal?: AbortSignal): Promise<void> {
  // node:sqlite holds the event loop to the end. Signals come in between two of its phases, so that one turn may miss them.
  await setImmediate()
  await setImmediate()
  signal?.throwIfAborted()
  await db.exec('VACUUM')
}

/** Where SQLite puts temporary files (`unixTempFileDir` in its os_unix.c, `winGetTempname` in os_win.c). */
async function temporaryFolder(): Promise<string> {
  if (process.platform === 'win32') return tmpdir()
  const candidates = [process.env.SQLITE_TMPDIR, process.env.TMPDIR, '/var/tmp', '/usr/tmp', '/tmp']
  for (const candidate of candidates) {
    if (candidate && (await isWritableFolder(candidate))) return candidate
  }

  return '.'
}

async function isWritableFolder(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK | constants.X_OK)
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}
