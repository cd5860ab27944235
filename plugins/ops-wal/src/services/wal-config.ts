import {withWriteAccess} from '@chops/core/change'
import {type PurgeMode, readPurgeMode, requirePurgeSetting, writePurgeMode} from '@chops/core/log'
import {generationText, type PersistDir} from '@chops/core/persist-dir'
import {transaction} from '@chops/core/sqlite'

export type WantedPurgeMode = 'auto' | 'off'

export interface WalConfig {
  chromaVersion: string
  persistDirectory: string
  /** As it is stored when the command ends. */
  purgeMode: PurgeMode
  /** As it was found. */
  purgeModeBefore: PurgeMode
  status: 'cancelled' | 'done' | 'dry-run' | 'nothing-to-do'
  /** What was asked for. */
  wanted: null | WantedPurgeMode
}

/**
 * Reads the log's configuration and says whether the wanted purge mode changes it.
 *
 * @returns with status `dry-run` when it does, otherwise `nothing-to-do`
 * @throws ChopsError `usage` when a mode is wanted that the directory's engine does not have
 */
export async function planWalConfig(
  dir: PersistDir,
  wanted: WantedPurgeMode | undefined,
): Promise<WalConfig> {
  const purgeMode = await readPurgeMode(dir)
  if (wanted !== undefined) requirePurgeSetting(dir)
  return {
    chromaVersion: generationText(dir.generation),
    persistDirectory: dir.path,
    purgeMode,
    purgeModeBefore: purgeMode,
    status: wanted === undefined || wanted === purgeMode ? 'nothing-to-do' : 'dry-run',
    wanted: wanted ?? null,
  }
}

/**
 * Stores the purge mode in one transaction.
 *
 * @throws ChopsError `in-use` when another process has the directory open: it has read the old mode
 */
export async function configureWal(
  plan: WalConfig,
  wanted: WantedPurgeMode,
  options: {force?: boolean} = {},
): Promise<WalConfig> {
  return withWriteAccess(plan.persistDirectory, options, async (dir) => {
    await transaction(dir.db, 'IMMEDIATE', () => writePurgeMode(dir, wanted))
    return {...plan, purgeMode: await readPurgeMode(dir), status: 'done'}
  })
}
