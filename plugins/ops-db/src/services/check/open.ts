import {ChopsError} from '@chops/core/errors'
import {
  DATABASE_FILE,
  type Generation,
  readGeneration,
  recoveredText,
  requireChromaDirectory,
} from '@chops/core/persist-dir'
import {openDatabase, type OpenedDatabase} from '@chops/core/sqlite'
import {join, resolve} from 'node:path'

/** A persist directory as far as it can be opened. */
export interface CheckedDirectory {
  close(): Promise<void>
  databaseFile: string
  /** Absent when the file cannot be opened as a database at all. */
  db: OpenedDatabase | undefined
  /** Absent when the migrations do not tell it. */
  generation: Generation | undefined
  /** Why there is no database, or no generation. */
  failure: ChopsError | undefined
  /** The database was left in the middle of a write, and is read from a private copy. */
  isRecovered: boolean
  path: string
  walMode: boolean
  warnings: string[]
}

/**
 * Opens a directory of which anything may be damaged, without changing a byte of it.
 *
 * @throws ChopsError `not-found` when it is no persist directory, `in-use` when its database stays locked
 */
export async function openForCheck(path: string): Promise<CheckedDirectory> {
  const directory = resolve(path)
  const databaseFile = join(directory, DATABASE_FILE)
  await requireChromaDirectory(directory, databaseFile)
  const common = {databaseFile, isRecovered: false, path: directory, walMode: false, warnings: []}
  let db: OpenedDatabase
  try {
    db = await openDatabase(databaseFile, {mode: 'read'})
  } catch (error) {
    const failure = damageOf(error)
    return {...common, async close() {}, db: undefined, failure, generation: undefined}
  }

  const isRecovered = db.source === 'recovered copy'
  const warnings = db.source === 'direct' ? [] : [recoveredText(databaseFile, db.source)]
  const {walMode} = db
  const opened = {...common, close: () => db.close(), db, isRecovered, walMode, warnings}
  try {
    return {...opened, failure: undefined, generation: await readGeneration(db, databaseFile)}
  } catch (error) {
    if (error instanceof ChopsError && error.kind === 'damaged')
      return {...opened, failure: error, generation: undefined}
    await db.close()
    throw error
  }
}

/** Damage is what the check is for; everything else ends it. */
function damageOf(error: unknown): ChopsError {
  if (error instanceof ChopsError && error.kind === 'damaged') return error
  throw error
}
