import type {PurgeMode} from '@chops/core/log'
import type {TableData} from '@chops/core/output'

import type {WalConfig} from '../services/wal-config.js'

/** The values of `automatically_purge`, as the Python tool writes them. */
const VALUE: Record<PurgeMode, string> = {auto: 'True', off: 'False', unset: 'not set'}

export function configTable({purgeModeBefore, status, wanted}: WalConfig): TableData {
  const old = VALUE[purgeModeBefore]
  const isChange = wanted !== null && status !== 'nothing-to-do'
  return {
    columns: ['Config key', isChange ? 'Config Change' : 'Value'],
    rows: [
      [
        'Automatically purge (automatically_purge)',
        isChange ? `${old} (old) -> ${VALUE[wanted]} (new)` : old,
      ],
    ],
    title: 'Current WAL config',
  }
}

export function alreadyText({purgeMode}: WalConfig): string {
  const state = purgeMode === 'auto' ? 'auto purge enabled' : 'auto purge disabled'
  return `WAL config is already set to the desired state (${state}).`
}
