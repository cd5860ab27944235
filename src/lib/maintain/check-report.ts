import {damaged} from '@chops/core/errors'

type Severity = 'C' | 'E' | 'I' | 'W'

/** The parts of `db check --json` that a pass goes by (schemas/db-check.schema.json). */
export interface CheckReport {
  chromaVersion: string
  counts: Record<Severity, number>
  findings: CheckFinding[]
  ledger: CheckedCollection[]
}

export interface CollectionPlace {
  database: string
  id: string
  name: string
  tenant: string
}

export interface CheckFinding {
  collection: CollectionPlace | null
  /** The command line that repairs it. */
  command: null | string
  id: string
  message: string
  severity: Severity
}

/** The numbers of an index are null where it cannot be read. */
export interface CheckedCollection extends CollectionPlace {
  /** Elements of the index that are marked as deleted. */
  deleted: null | number
  /** All elements of the index. */
  elements: null | number
  inLogOnly: null | number
  indexed: null | number
  lost: null | number
  records: number
}

/** The SQLite file, its schema, the catalog or the numbering of the log: what every step stands on. */
const ABOUT_DATABASE = /^[SYW]/

/** What only concerns the full-text index, which is made anew from the documents. */
const FULL_TEXT_COMMAND = 'chops fts rebuild '

/** Whether such an index is damaged is not known. */
const UNREADABLE = 'P3'

const REBUILD_COMMAND = 'chops hnsw rebuild '

/** @throws ChopsError `damaged` for a document that is not one of `db check` */
export function checkReportOf(document: Record<string, unknown>): CheckReport {
  if (Array.isArray(document.findings) && Array.isArray(document.ledger))
    return document as unknown as CheckReport
  throw damaged('chops db check did not answer with its findings.', {
    next: 'See with "chops plugins" whether @chops/db is of another version than the CLI.',
  })
}

/** The first critical finding about the database itself, which no step may write to then. */
export function databaseDamage({findings}: CheckReport): CheckFinding | undefined {
  return findings.find(
    ({collection, command, id, severity}) =>
      severity === 'C' &&
      collection === null &&
      ABOUT_DATABASE.test(id) &&
      !(command?.startsWith(FULL_TEXT_COMMAND) ?? false),
  )
}

/** Collections with a critical finding, or whose files may not be read: only a rebuild that cures it may touch them. */
export function damagedCollections({findings}: CheckReport): CollectionPlace[] {
  const places = criticalFindings(findings).map(({collection}) => [collection.id, collection] as const)
  return [...new Map(places).values()]
}

/** Collections to build anew: those whose share of deleted elements is above the threshold, and those it cures. */
export function collectionsToRebuild(
  {findings, ledger}: CheckReport,
  fragmentation: number,
): CheckedCollection[] {
  const critical = criticalFindings(findings)
  const of = (collection: CollectionPlace): CheckFinding[] =>
    critical.filter((finding) => finding.collection.id === collection.id)
  return ledger.filter((collection) => {
    const damage = of(collection)
    return damage.length === 0
      ? fragmentationOf(collection) > fragmentation
      : damage.every(({command}) => command?.startsWith(REBUILD_COMMAND) ?? false)
  })
}

/** Share of the elements that are deleted, 0 to 1; 0 where that is not known. */
export function fragmentationOf({deleted, elements}: CheckedCollection): number {
  return deleted === null || elements === null || elements === 0 ? 0 : deleted / elements
}

/** Findings that `fts rebuild` repairs. */
export function fullTextFindings({findings}: CheckReport): CheckFinding[] {
  return findings.filter(
    ({command, severity}) => severity !== 'I' && (command?.startsWith(FULL_TEXT_COMMAND) ?? false),
  )
}

function criticalFindings(
  findings: readonly CheckFinding[],
): (CheckFinding & {collection: CollectionPlace})[] {
  return findings.filter(
    (finding): finding is CheckFinding & {collection: CollectionPlace} =>
      (finding.severity === 'C' || finding.id === UNREADABLE) && finding.collection !== null,
  )
}
