import type {Finding} from '../check/finding.js'
import type {FindingId} from '../check/invariants.js'

/**
 * How a finding is repaired: `journal` SQLite takes back an unfinished write, `indexes` its indexes are made anew,
 * `rows` rows of tables are changed, `full text` and `vectors` an index is built anew, `list` what cannot be repaired
 * here is written to a file.
 */
export type RepairKind = 'full text' | 'indexes' | 'journal' | 'list' | 'rows' | 'vectors'

/** The order in which repairs are made: each stands on those before it. */
export const REPAIR_ORDER: readonly RepairKind[] = [
  'journal',
  'indexes',
  'rows',
  'full text',
  'vectors',
  'list',
]

const FULL_TEXT: ReadonlySet<FindingId> = new Set(['M5', 'M6', 'S2', 'S4'])

const ROWS: ReadonlySet<FindingId> = new Set([
  ...(['S6', 'Y1', 'Y3', 'Y4', 'Y6', 'Y7', 'M1', 'M2', 'M3'] as const),
  ...(['W1', 'W2', 'W3', 'W4', 'W8', 'W9', 'W10'] as const),
])

/** Undefined for what --fix leaves alone: what cannot be repaired, and what is only worth to be known. */
export function repairKindOf({command, id, repairable, severity}: Finding): RepairKind | undefined {
  if (repairable === 'no' || command === null) return undefined
  const isOnlyKnown = severity === 'I'
  if (id === 'S7') return isOnlyKnown ? undefined : 'journal'
  if (id === 'S1') return 'indexes'
  // Texts of deleted records are rows; a table that is wrong is made anew.
  if (id === 'M5' && isOnlyKnown) return 'rows'
  if (FULL_TEXT.has(id)) return 'full text'
  if (ROWS.has(id)) return isOnlyKnown && id !== 'Y4' && id !== 'M1' ? undefined : 'rows'
  if (id === 'X1') return severity === 'C' ? 'list' : 'rows'
  if (isOnlyKnown) return undefined
  return id.startsWith('H') || id === 'W6' ? 'vectors' : undefined
}
