import {formatCount} from '@chops/core/output'
import type {TableData} from '@chops/core/output'

import type {DatabaseCheck} from '../services/check/check-database.js'
import type {ExplainedError} from '../services/check/explanations.js'
import type {Finding, FindingCollection} from '../services/check/finding.js'
import type {Severity} from '../services/check/invariants.js'
import type {LedgerRow} from '../services/check/ledger.js'

/** What a person calls a severity. */
export const SEVERITY: Record<Severity, string> = {C: 'critical', E: 'error', I: 'info', W: 'warning'}

/** The findings, the worst first, and where the vectors are. */
export function checkTables({findings, ledger}: DatabaseCheck, title = 'Findings'): TableData[] {
  return [
    ...(findings.length > 0 ? [findingsTable(findings, title)] : []),
    ...(ledger.length > 0 ? [ledgerTable(ledger)] : []),
  ]
}

function findingsTable(findings: readonly Finding[], title: string): TableData {
  return {
    columns: ['Id', 'Severity', 'Collection', 'Finding', 'Repair'],
    rows: findings.map(({collection, command, id, message, repairable, severity}) => [
      id,
      SEVERITY[severity],
      collection ? placeOf(collection) : '',
      message,
      command === null
        ? repairable === 'no'
          ? 'none'
          : repairable
        : `${command}${repairable === 'partly' ? ' (in part)' : ''}`,
    ]),
    title,
  }
}

function ledgerTable(ledger: readonly LedgerRow[]): TableData {
  return {
    columns: ['Collection', 'Records', 'Indexed', 'In the log only', 'Lost', 'Without a record', 'Safe to'],
    rows: ledger.map((row) => [
      placeOf(row),
      formatCount(row.records),
      countText(row.indexed),
      countText(row.inLogOnly),
      countText(row.lost),
      countText(row.withoutRecord),
      safeText(row),
    ]),
    title: 'Vectors',
  }
}

/** All ids, one a line: what has to be embedded again. */
export function idLines(ledger: readonly LedgerRow[]): string[] {
  return ledger.flatMap((row) => [
    ...row.lostIds.map((id) => `${placeOf(row)}: lost ${JSON.stringify(id)}`),
    ...row.withoutRecordIds.map((id) => `${placeOf(row)}: without a record ${JSON.stringify(id)}`),
  ])
}

/** One sentence: is the directory sound? */
export function summaryText({counts, findings, healthy}: DatabaseCheck): string {
  if (healthy)
    return counts.I === 0 ? 'The directory is healthy.' : `The directory is healthy (${counts.I} notes).`
  const parts = (['C', 'E', 'W', 'I'] as const)
    .filter((severity) => counts[severity] > 0)
    .map((severity) => `${counts[severity]} ${SEVERITY[severity]}`)
  const hidden = counts.C + counts.E + counts.W + counts.I - findings.length
  return `Found: ${parts.join(', ')}${hidden > 0 ? ` (${hidden} not shown)` : ''}.`
}

/** What an error of Chroma comes from, here. */
export function explanationLines(error: string, explained: readonly ExplainedError[]): string[] {
  if (explained.length === 0) {
    return [
      `chops does not know the error ${JSON.stringify(error)}. What is found below may still be its cause.`,
      '',
    ]
  }

  return explained.flatMap(({cause, causes, error: known, found, next}) => [
    known,
    `  ${cause}`,
    `  ${next}`,
    found.length > 0
      ? `  Here it comes from ${found.join(', ')}, see below.`
      : causes.length > 0
        ? `  Nothing of the kind was found in this directory (it would be ${causes.join(', ')}).`
        : '  It is no damage of the directory.',
    '',
  ])
}

/** A collection by its name, with its place where that is not the default. */
export function placeOf({database, name, tenant}: FindingCollection): string {
  const isDefault = tenant === 'default_tenant' && database === 'default_database'
  return isDefault ? name : `${tenant}/${database}/${name}`
}

function countText(count: null | number): string {
  return count === null ? 'unknown' : formatCount(count)
}

function safeText({safe}: LedgerRow): string {
  const answers = [
    safe.purgeLog ? 'clean the log' : '',
    safe.rebuild ? 'rebuild' : '',
    safe.deleteFolder ? 'lose the folder' : '',
  ].filter(Boolean)
  return answers.length > 0 ? answers.join(', ') : 'nothing'
}
