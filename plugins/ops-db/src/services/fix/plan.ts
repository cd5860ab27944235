import type {DatabaseCheck} from '../check/check-database.js'
import type {Finding, FindingCollection} from '../check/finding.js'
import type {FindingId} from '../check/invariants.js'

import {REPAIR_ORDER, type RepairKind, repairKindOf} from './repair-kinds.js'

/** One repair: what it does, and the findings it is for. */
export interface PlannedRepair {
  action: string
  /** The one whose index is built anew, or whose lost vectors are listed. */
  collection: FindingCollection | null
  ids: FindingId[]
  kind: RepairKind
}

const ACTIONS: Record<RepairKind, string> = {
  'full text': 'Build the full-text index anew from the documents of the records.',
  indexes: 'Make the indexes of the SQLite tables anew from their rows.',
  journal: 'Let SQLite take back the write that was left unfinished.',
  list: 'Write the records that lost their vectors to a file, to be embedded again.',
  rows: 'Repair rows of chroma.sqlite3, in one transaction.',
  vectors: 'Build the index anew from its vectors and the log, beside the old one.',
}

/** What `--fix` is going to do, in its order; what it leaves alone is not in it. */
export function planRepairs({findings}: Pick<DatabaseCheck, 'findings'>): PlannedRepair[] {
  const repairs = new Map<string, PlannedRepair>()
  const isDamaged = findings.some(({id, repairable}) => id === 'S1' && repairable === 'no')
  for (const finding of findings) {
    const kind = repairKindOf(finding)
    // What SQLite finds damaged is not written to: it may get worse, and what looks like nobody's may be somebody's.
    if (kind === undefined || (isDamaged && kind !== 'list' && kind !== 'journal')) continue
    const ofOne = kind === 'vectors' || kind === 'list'
    const collection = ofOne ? finding.collection : null
    const key = `${kind} ${collection?.id ?? ''}`
    const repair = repairs.get(key) ?? {action: ACTIONS[kind], collection, ids: [], kind}
    if (!repair.ids.includes(finding.id)) repair.ids.push(finding.id)
    repairs.set(key, repair)
  }

  return [...repairs.values()].sort((a, b) => REPAIR_ORDER.indexOf(a.kind) - REPAIR_ORDER.indexOf(b.kind))
}

/** Findings above information that no repair is for. */
export function leftAlone(
  {findings}: Pick<DatabaseCheck, 'findings'>,
  plan: readonly PlannedRepair[],
): Finding[] {
  const planned = new Set(plan.flatMap(({ids}) => ids))
  return findings.filter((finding) => {
    const isPlanned = planned.has(finding.id) && repairKindOf(finding) !== undefined
    return finding.severity !== 'I' && !isPlanned
  })
}
