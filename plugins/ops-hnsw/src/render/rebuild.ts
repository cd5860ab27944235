import {collectionText} from '@chops/core/catalog'
import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {ParameterChange} from '../services/parameter-changes.js'
import type {RebuildPlan, RebuildResult} from '../services/rebuild.js'

export function changesTable(changes: ParameterChange[]): TableData {
  return {
    columns: ['Parameter', 'Old', 'New'],
    rows: changes.map((change) => [change.parameter, String(change.old), String(change.new)]),
    title: 'Changes',
  }
}

/** How the new index is made, and why. */
function methodText({method, reason}: Pick<RebuildPlan, 'method' | 'reason'>): string {
  return `${method === 'repair' ? 'by repair of its graph' : 'in full'} (${reason})`
}

/** What is going to happen to the index, in a sentence. */
export function planText(plan: RebuildPlan): string {
  if (plan.method === null) {
    return plan.changes.length > 0
      ? 'There is no index to rebuild, the collection has no vectors: its first one is going to be made with these parameters.'
      : 'There is no index to rebuild, the collection has no vectors.'
  }

  return `The new index is made ${methodText(plan)}.${memoryText(plan)}`
}

/** A sentence to go on with. */
function memoryText({memoryBytes}: Pick<RebuildPlan, 'memoryBytes'>): string {
  return memoryBytes === null ? '' : ` It takes up to ${formatBytes(memoryBytes)} of memory.`
}

/** What was done, in words. */
export function resultLines(result: RebuildResult): string[] {
  if (result.status === 'nothing to rebuild')
    return [`Nothing to rebuild: ${collectionText(result)} has no vectors.`]
  if (result.status === 'parameters changed')
    return [`Changed the parameters of ${collectionText(result)}, which has no vectors yet.`]
  const applied =
    result.appliedRows === 0 ? '' : `, ${formatCount(result.appliedRows)} pending log rows applied`
  return [
    `Rebuilt the index of ${collectionText(result)} ${methodText(result)}: ${formatCount(result.elements)} elements${applied}.`,
    `Verified: every vector equal, links sound, recall@10 ${(result.recall ?? 0).toFixed(3)} at ef 100 on ${result.sampleSize} samples.`,
    result.backup === null ? 'The old index was removed.' : `The old index lies in ${result.backup}`,
  ]
}
