import {collectionText} from '@chops/core/catalog'
import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {CommitPlan, CommitResult} from '../services/commit.js'

/** The summary the Python tool prints, with the place and what is pending. */
export function commitPlanTables(plans: CommitPlan[]): TableData[] {
  const skipped = plans.filter((plan) => plan.skipped)
  const summary = {
    columns: ['Collection', 'Tenant', 'Database', 'WAL Entries', 'Pending'],
    rows: plans
      .filter((plan) => !plan.skipped)
      .map((plan) => [
        plan.collection,
        plan.tenant,
        plan.database,
        formatCount(plan.walEntries),
        formatCount(plan.pending),
      ]),
    title: 'WAL Commit Summary',
  }
  if (skipped.length === 0) return [summary]
  const rows = skipped.map((plan) => [plan.collection, plan.tenant, plan.database])
  return [summary, {columns: ['Collection', 'Tenant', 'Database'], rows, title: 'Skipped Collections'}]
}

/** What the largest of the commits takes: they come one after the other. Undefined where that of none is known. */
export function commitMemoryText(plans: readonly CommitPlan[]): string | undefined {
  const most = Math.max(...plans.map(({memoryBytes}) => memoryBytes ?? 0))
  if (most === 0) return undefined
  return `It takes up to ${formatBytes(most)} of memory.`
}

export function commitResultText(result: CommitResult): string {
  const how = result.method === 'extend' ? 'added to the index' : 'in a new index'
  return (
    `Committed ${formatCount(result.appliedRows)} log rows of ${collectionText(result)}: ` +
    `${formatCount(result.elements)} elements, ${how}, recall@10 ${result.recall.toFixed(3)}.`
  )
}
