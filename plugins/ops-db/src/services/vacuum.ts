import {readPageCounts, vacuum, withWriteAccess} from '@chops/core/change'
import {generationText, type PersistDir} from '@chops/core/persist-dir'
import {transaction} from '@chops/core/sqlite'
import {stat} from 'node:fs/promises'

export interface Vacuum {
  chromaVersion: string
  /** Bytes of free pages: what VACUUM is going to give back, or gave back, at least. */
  freeBytes: number
  freePages: number
  pages: number
  pageSize: number
  persistDirectory: string
  /** The row that Chroma's own vacuum leaves in `maintenance_log`; false where the directory is older than that table. */
  recorded: boolean
  /** Bytes of chroma.sqlite3; as before unless the status is `done`. */
  sizeAfter: number
  sizeBefore: number
  status: 'cancelled' | 'done' | 'dry-run'
}

export async function planVacuum(dir: PersistDir): Promise<Vacuum> {
  const {free, pages, pageSize} = await readPageCounts(dir)
  const {size} = await stat(dir.databaseFile)
  return {
    chromaVersion: generationText(dir.generation),
    freeBytes: free * pageSize,
    freePages: free,
    pages,
    pageSize,
    persistDirectory: dir.path,
    recorded: false,
    sizeAfter: size,
    sizeBefore: size,
    status: 'dry-run',
  }
}

/**
 * Runs VACUUM and records it as Chroma does.
 *
 * @throws ChopsError `in-use` when another process has the directory open
 */
export async function vacuumDatabase(
  plan: Vacuum,
  {force, signal}: {force?: boolean; signal?: AbortSignal} = {},
): Promise<Vacuum> {
  return withWriteAccess(plan.persistDirectory, {force}, async (dir) => {
    await vacuum(dir, signal)
    const recorded = await record(dir)
    const {size} = await stat(dir.databaseFile)
    return {...plan, recorded, sizeAfter: size, status: 'done'}
  })
}

/** As `SqliteDB.vacuum` in `chromadb/db/impl/sqlite.py` and `vacuum_chroma` in `rust/cli/src/commands/vacuum.rs`. */
async function record({db}: PersistDir): Promise<boolean> {
  const table = await db.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'maintenance_log'")
  if (!table) return false
  await transaction(db, 'IMMEDIATE', () =>
    db.run("INSERT INTO maintenance_log (operation, timestamp) VALUES ('vacuum', CURRENT_TIMESTAMP)"),
  )
  return true
}
