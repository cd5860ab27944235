import type {PersistDir} from '@chops/core/persist-dir'

import {backUpDatabase, requireFreeSpace, withWriteAccess} from '@chops/core/change'
import {ChopsError} from '@chops/core/errors'
import {countDocuments, ftsRebuildBytes, rebuildFts} from '@chops/core/fts'
import {commitLog, rebuildIndex} from '@chops/core/reindex'
import {transaction} from '@chops/core/sqlite'

import type {DatabaseCheck} from '../check/check-database.js'
import type {PlannedRepair} from './plan.js'

import {damageText} from '../check/context.js'
import {writeLostRecords} from './lists.js'
import {repairRows} from './rows.js'

/** What became of a planned repair. */
export interface MadeRepair extends PlannedRepair {
  /** What went wrong; null when it was made. */
  failure: null | string
}

export interface DatabaseFix {
  /** The copy of chroma.sqlite3 as it was. */
  backup: null | string
  /** Files that were written: lost records, log rows that no engine can apply. */
  files: string[]
  repairs: MadeRepair[]
  /** What the user should know of repairs that were made. */
  warnings: string[]
}

/** A plan that is not carried out. */
export function nothingMade(plan: readonly PlannedRepair[]): DatabaseFix {
  return {backup: null, files: [], repairs: plan.map((repair) => ({...repair, failure: null})), warnings: []}
}

export interface FixOptions {
  force?: boolean | undefined
  onRepair?: ((position: number) => void) | undefined
  signal?: AbortSignal | undefined
}

/**
 * Makes the planned repairs, in their order, each of them wholly or not at all: after a copy of chroma.sqlite3 has been
 * made, the rows in one transaction, the full-text index in one, and each vector index beside the old one, which is
 * kept. One that fails is reported, and keeps only those from being made that stand on it.
 *
 * @param found the check with all ids of lost vectors and of those without a record
 * @throws ChopsError `in-use` when another process has the directory open or changes it, `damaged` when the disk has no
 * room for the copy; nothing is changed then
 */
export async function fixDatabase(
  found: DatabaseCheck,
  plan: readonly PlannedRepair[],
  {force, onRepair, signal}: FixOptions = {},
): Promise<DatabaseFix> {
  const {persistDirectory} = found
  const fix: DatabaseFix = {backup: null, files: [], repairs: [], warnings: []}
  const access = {...(force !== undefined && {force})}
  // Opening the file for writing already takes an unfinished write back.
  const databaseFile = await withWriteAccess(persistDirectory, access, async (dir) => dir.databaseFile)
  const changesRows = plan.some(({kind}) => kind !== 'journal' && kind !== 'list')
  const backup = changesRows ? await backUpDatabase(databaseFile) : undefined
  fix.backup = backup?.path ?? null
  await withWriteAccess(persistDirectory, access, async (dir) => {
    if (backup) await transaction(dir.db, 'IMMEDIATE', () => backup.requireUnchanged())
    for (const [position, repair] of plan.entries()) {
      signal?.throwIfAborted()
      onRepair?.(position)
      const stands =
        repair.kind !== 'vectors' ||
        fix.repairs.every(({failure, kind}) => failure === null || kind === 'vectors')
      const failure = stands
        ? await failureOf(() => make(dir, repair, {found, fix, plan, signal}))
        : 'It stands on a repair that could not be made.'
      fix.repairs.push({...repair, failure})
    }
  })
  return fix
}

interface Circumstances {
  fix: DatabaseFix
  found: DatabaseCheck
  plan: readonly PlannedRepair[]
  signal: AbortSignal | undefined
}

async function make(
  dir: PersistDir,
  repair: PlannedRepair,
  {fix, found, plan, signal}: Circumstances,
): Promise<void> {
  const options = {...(signal && {signal})}
  switch (repair.kind) {
    case 'full text': {
      await requireFreeSpace(
        dir.path,
        ftsRebuildBytes((await countDocuments(dir.db)).bytes),
        'the new full-text index',
      )
      await rebuildFts(dir.db, {...options, engine: dir.generation.engine})
      return
    }

    case 'indexes': {
      await dir.db.exec('REINDEX')
      return
    }

    case 'journal': {
      return
    }

    case 'list': {
      const ledger = found.ledger.filter(({id}) => id === repair.collection?.id)
      fix.files.push(
        // The id is what the database says: it may hold a path.
        await writeLostRecords(
          dir,
          ledger,
          fileName(`lost_vectors_${encodeURIComponent(repair.collection?.id ?? '')}`),
        ),
      )
      return
    }

    case 'rows': {
      const rebuildsFullText = plan.some(({kind}) => kind === 'full text')
      const ids = new Set(repair.ids)
      const file = await transaction(dir.db, 'IMMEDIATE', () =>
        repairRows(dir, {
          fileForUnusable: fileName('unusable_log_rows'),
          ids,
          ledger: found.ledger,
          rebuildsFullText,
          signal,
        }),
      )
      if (file !== undefined) fix.files.push(file)
      return
    }

    case 'vectors': {
      const owner = {id: repair.collection?.id ?? ''}
      const isUnwritten = repair.ids.every((id) => id === 'W6' || id === 'H3')
      const made = isUnwritten
        ? await commitLog(dir, owner, options)
        : await rebuildIndex(dir, owner, {...options, backup: true})
      if (!made) throw new ChopsError('damaged', 'There is nothing to build an index from.')
      if (made.warning !== undefined) fix.warnings.push(made.warning)
    }
  }
}

/** An interruption, a lock and a bug end all; damage ends one repair. */
async function failureOf(work: () => Promise<void>): Promise<null | string> {
  try {
    await work()
    return null
  } catch (error) {
    const message = damageText(error)
    if (message === undefined) throw error
    return message
  }
}

function fileName(what: string): string {
  return `${what}_${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)}.jsonl`
}
