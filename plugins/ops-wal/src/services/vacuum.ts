import {requireFreeSpace} from '@chops/core/change'
import {ChopsError} from '@chops/core/errors'
import type {PersistDir} from '@chops/core/persist-dir'
import {access, constants, stat} from 'node:fs/promises'
import {tmpdir} from 'node:os'

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

/** Whether so many pages of the database are free that VACUUM makes the file noticeably smaller. */
export async function isWorthVacuuming({db}: PersistDir): Promise<boolean> {
  const pages = await db.get<{all: number; free: number}>(
    `SELECT page_count AS "all", freelist_count AS free FROM pragma_page_count, pragma_freelist_count`,
  )
  return pages !== undefined && pages.free > 0 && pages.free >= WORTH_IT * pages.all
}

/**
 * Runs what follows a change that is committed: whatever stops it, its error says that the change was made. VACUUM is
 * atomic by itself, SQLite restores the file.
 *
 * @param done what has already been done
 * @throws ChopsError of the same kind as the cause
 */
export async function explainAfter<T>(
  done: string,
  {databaseFile}: PersistDir,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const {code, message} = error as NodeJS.ErrnoException
    const isExpected = error instanceof ChopsError || signal?.aborted || typeof code === 'string'
    if (!isExpected) throw error
    const reason = signal?.aborted ? 'it was interrupted' : message.replace(/\.$/, '')
    throw new ChopsError(
      error instanceof ChopsError ? error.kind : 'damaged',
      `${done}, but chroma.sqlite3 could not be made smaller: ${reason}.`,
      {
        cause: error,
        file: databaseFile,
        next: 'Nothing is lost: Chroma fills the free pages again, or the next wal clean that deletes rows gives them back.',
      },
    )
  }
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
