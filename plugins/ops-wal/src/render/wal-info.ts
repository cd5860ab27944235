import {formatCount, type TableData} from '@chops/core/output'

import type {WalInfo} from '../services/wal-info.js'

const PURGE_TEXT = {
  auto: 'auto purge',
  off: 'not auto purge',
  unset: 'not auto purge (this directory has no setting)',
} as const

/** `WAL config is set to: auto purge.`, as the Python tool says it. */
export function purgeModeText({purgeMode}: WalInfo): string {
  return `WAL config is set to: ${PURGE_TEXT[purgeMode]}.`
}

export function walInfoTable({topics}: WalInfo): TableData {
  return {
    columns: ['Collection', 'Tenant', 'Database', 'Topic', 'Count', 'Committed', 'Pending'],
    rows: topics.map((topic) => [
      topic.orphan ? 'orphan: no collection has this id' : (topic.collection ?? ''),
      topic.tenant ?? '',
      topic.database ?? '',
      topic.topic,
      formatCount(topic.count),
      formatCount(topic.committed),
      formatCount(topic.pending),
    ]),
    title: 'WAL Info',
  }
}
