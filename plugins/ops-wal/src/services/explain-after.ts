import {ChopsError} from '@chops/core/errors'
import type {PersistDir} from '@chops/core/persist-dir'

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
        next: 'Nothing is lost: Chroma fills the free pages again, or "chops db vacuum" gives them back.',
      },
    )
  }
}
