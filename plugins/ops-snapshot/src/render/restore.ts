import {collectionText} from '@chops/core/catalog'
import {formatCount} from '@chops/core/output'

import type {RestoredCollection} from '../services/restore/restore-into.js'
import type {RestorePlan} from '../services/restore/restore-file.js'

/** What is going to happen, as a question. */
export function questionText(plan: RestorePlan, persistDir: string): string {
  const what = `collection ${plan.name} (tenant ${plan.tenant}, database ${plan.database})`
  const where = plan.newDirectory ? `the new directory ${persistDir}` : persistDir
  const instead =
    plan.replaces === null ? '' : ` The collection of that name there (id ${plan.replaces}) will be gone.`
  return `Are you sure you want to restore ${what} into ${where}?${instead}`
}

export function planText({file, layout, records, snapshotVersion}: RestorePlan): string {
  const checked = layout === 'chops' ? 'every checksum is right' : 'written by the Python tool'
  return `Snapshot ${file}: ${formatCount(records)} records, Chroma ${snapshotVersion}, ${checked}.`
}

export function restoredLines(
  {records}: RestorePlan,
  {backup, replaced, ...restored}: RestoredCollection,
): string[] {
  const lines = [
    `Restored ${formatCount(records)} records into ${collectionText({...restored, collection: restored.name})}.`,
  ]
  if (replaced !== undefined) lines.push(`It took the place of ${replaced}.`)
  if (backup !== undefined) lines.push(`The index of the replaced collection lies in ${backup}.`)
  return lines
}
