import type {KeepReason, TopicCleaning} from '@chops/core/log-cleaning'
import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {WalClean, WalCleanPlan} from '../services/wal-clean.js'

const REASON_TEXT: Record<KeepReason, (cleaning: TopicCleaning) => string> = {
  ahead: () => 'a segment claims to have applied rows the log never had',
  foreign: () => 'the collection exists, but has another topic',
  newest: () => 'the newest row keeps the numbering',
  pending: ({topic}) => `${waiting(topic.pendingInVector)} for chops wal commit`,
  'pending-metadata': ({topic}) => `${waiting(topic.pendingInMetadata)} for Chroma to apply the metadata`,
  skipped: () => 'skipped',
}

/** What would be deleted and why the rest stays. */
export function planTable({topics}: WalCleanPlan): TableData {
  return {
    columns: ['Collection', 'Tenant', 'Database', 'Topic', 'Rows', 'Deletable', 'Kept', 'Why kept'],
    rows: topics.map((cleaning) => [
      ...topicCells(cleaning),
      formatCount(cleaning.topic.count),
      formatCount(cleaning.deletable),
      formatCount(cleaning.topic.count - cleaning.deletable),
      cleaning.keepReasons.map((reason) => REASON_TEXT[reason](cleaning)).join('; '),
    ]),
    title: 'WAL Clean',
  }
}

/** What was deleted, topic by topic. */
export function deletedTable({topics}: WalClean): TableData {
  return {
    columns: ['Collection', 'Tenant', 'Database', 'Topic', 'Deleted'],
    rows: topics
      .filter(({deleted}) => deleted > 0)
      .map(({collection, database, deleted, tenant, topic}) => [
        collection ?? ORPHAN,
        tenant ?? '',
        database ?? '',
        topic,
        formatCount(deleted),
      ]),
    title: 'Deleted Rows',
  }
}

/** Why there is nothing to do, and what could be done instead. */
export function nothingText({hasFreePages}: WalCleanPlan): string {
  const nothing =
    'Nothing to clean up: the log holds no row that all segments have applied, but for the newest ones.'
  return hasFreePages
    ? `${nothing} chroma.sqlite3 has free pages, which Chroma fills again, or "chops db vacuum" gives back.`
    : nothing
}

export function questionText({deletable, persistDirectory}: WalCleanPlan): string {
  return (
    `Are you sure you want to clean up the WAL in ${persistDirectory}? ` +
    `${rows(deletable)} that nothing needs any more will be deleted, and chroma.sqlite3 made smaller.`
  )
}

/** `Size before: 1064960 (1.0MiB)`: bytes first, as the Python tool prints them. */
export function sizeText({size}: WalCleanPlan): string {
  return `Size before: ${bytes(size)}`
}

export function doneLines({deleted, sizeAfter, vacuumed}: WalClean): string[] {
  const vacuum = vacuumed ? '' : ' There are too few free pages for a VACUUM; Chroma uses them again.'
  return [`${rows(deleted)} deleted.${vacuum}`, `WAL cleaned up. Size after: ${bytes(sizeAfter)}`]
}

const ORPHAN = 'orphan: no collection has this id'

function topicCells({orphan, topic: {collection, topic}}: TopicCleaning): string[] {
  const name = collection?.name ?? (orphan ? ORPHAN : '')
  return [name, collection?.tenant ?? '', collection?.database ?? '', topic]
}

function bytes(size: number): string {
  return `${size} (${formatBytes(size)})`
}

function rows(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'row' : 'rows'}`
}

function waiting(count: number): string {
  return `${rows(count)} ${count === 1 ? 'waits' : 'wait'}`
}
