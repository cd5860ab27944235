import {formatCount, type TableData} from '@chops/core/output'

import type {PullPlan} from '../services/transfer/plan-pull.js'
import type {Pulled} from '../services/transfer/pull.js'

export function pullPlanTable({
  collection,
  collectionId,
  database,
  dimension,
  records,
  space,
  target,
  ...plan
}: PullPlan): TableData {
  return {
    columns: ['', 'From', 'To'],
    rows: [
      ['Place', `${plan.url} (Chroma ${plan.serverVersion})`, plan.persistDirectory],
      ['Tenant', plan.tenant, target.tenant],
      ['Database', database, target.database],
      ['Collection', collection, target.name],
      ['ID', collectionId, ''],
      ['Records', formatCount(records), 'new'],
      ['Dimension', dimension === null ? '' : String(dimension), ''],
      ['Space', space, ''],
    ],
    title: 'Collection Pull',
  }
}

export function pulledLines({target}: PullPlan, {fetched, id, kept, retries, verified}: Pulled): string[] {
  const before = kept === 0 ? '' : `, ${formatCount(kept)} had been fetched before`
  const again = retries === 0 ? '' : ` ${formatCount(retries)} requests had to be repeated.`
  return [
    `Pulled ${formatCount(fetched)} records${before}, into ${target.tenant}/${target.database}/${target.name} (id ${id}).${again}`,
    `Verified: the count, and ${formatCount(verified)} records compared.`,
  ]
}
