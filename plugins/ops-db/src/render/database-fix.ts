import type {TableData} from '@chops/core/output'

import type {DatabaseCheck} from '../services/check/check-database.js'
import type {DatabaseFix} from '../services/fix/fix-database.js'

import {leftAlone, type PlannedRepair} from '../services/fix/plan.js'
import {placeOf} from './database-check.js'

export function planTable(plan: readonly PlannedRepair[]): TableData {
  return {
    columns: ['Repair', 'Collection', 'Findings'],
    rows: plan.map(({action, collection, ids}) => [
      action,
      collection ? placeOf(collection) : '',
      ids.join(', '),
    ]),
    title: 'To be repaired',
  }
}

/** What stays as it is, and why that is so is in the finding itself; empty when all can be repaired. */
export function leftText(found: Pick<DatabaseCheck, 'findings'>, plan: readonly PlannedRepair[]): string {
  const ids = [...new Set(leftAlone(found, plan).map(({id}) => id))]
  return ids.length === 0 ? '' : `Not repaired, see what each finding says: ${ids.join(', ')}.`
}

export function questionText(plan: readonly PlannedRepair[]): string {
  const makesCopy = plan.some(({kind}) => kind !== 'journal' && kind !== 'list')
  const copy = makesCopy ? ' A copy of chroma.sqlite3 is kept, and so are the old indexes.' : ''
  return `Are you sure you want to make ${plan.length === 1 ? 'this repair' : `these ${plan.length} repairs`}?${copy}`
}

/** What was made, what was not, and what lies where. */
export function fixLines({backup, files, repairs, warnings}: DatabaseFix): string[] {
  const lines = repairs.map(({action, failure}) =>
    failure === null ? `Done: ${action}` : `Failed: ${action} ${failure}`,
  )
  return [
    ...lines,
    ...warnings,
    ...files.map((file) => `Written: ${file}`),
    ...(backup === null ? [] : [`The database as it was: ${backup}`]),
    '',
  ]
}
