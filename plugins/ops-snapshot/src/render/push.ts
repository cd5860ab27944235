import {formatCount, type TableData} from '@chops/core/output'

import type {PushPlan} from '../services/transfer/plan-push.js'
import type {Pushed} from '../services/transfer/push.js'

/** How many of the lost records are named in a sentence. */
const NAMED = 5

export function pushPlanTable({
  collection,
  collectionId,
  database,
  records,
  space,
  target,
  tenant,
  ...plan
}: PushPlan): TableData {
  const there =
    target.records === null
      ? target.createsPlace
        ? 'new, in a new database'
        : 'new'
      : `${formatCount(target.records)} records`
  return {
    columns: ['', 'From', 'To'],
    rows: [
      ['Place', plan.persistDirectory, `${target.url} (Chroma ${target.serverVersion})`],
      ['Tenant', tenant, target.tenant],
      ['Database', database, target.database],
      ['Collection', collection, target.name],
      ['ID', collectionId, ''],
      ['Records', formatCount(records), there],
      ['Dimension', plan.dimension === null ? '' : String(plan.dimension), ''],
      ['Space', space, ''],
    ],
    title: 'Collection Push',
  }
}

export function lostText({collection, lost}: Pick<PushPlan, 'collection' | 'lost'>): string {
  const named = lost.slice(0, NAMED).map((id) => JSON.stringify(id))
  const more = lost.length > NAMED ? ', ...' : ''
  return `${formatCount(lost.length)} records of ${collection} have no vector, neither in the index nor in the log, and are left out: ${named.join(', ')}${more}.`
}

export function pushedLines({target}: PushPlan, {id, retries, sent, skipped, verified}: Pushed): string[] {
  const before = skipped === 0 ? '' : `, ${formatCount(skipped)} were there`
  const again = retries === 0 ? '' : ` ${formatCount(retries)} requests had to be repeated.`
  return [
    `Pushed ${formatCount(sent)} records${before}, to ${target.tenant}/${target.database}/${target.name} at ${target.url} (id ${id}).${again}`,
    `Verified: the count, and ${formatCount(verified)} records read back.`,
  ]
}
