import {betweenWrites, journalOf} from '@chops/core/change'
import {generationText} from '@chops/core/persist-dir'

import {checkOnce, type CheckOptions, type Found} from './check-once.js'
import {damageText} from './context.js'
import type {Finding} from './finding.js'
import {INVARIANTS, isAtLeast, SEVERITIES, type Severity} from './invariants.js'
import type {LedgerRow} from './ledger.js'
import {type CheckedDirectory, openForCheck} from './open.js'

export interface DatabaseCheck {
  chromaVersion: string
  /** Findings of each severity, those that are not shown included. */
  counts: Record<Severity, number>
  /** The worst first; of one severity in the order of the invariants. */
  findings: Finding[]
  /** Nothing worse than information was found. */
  healthy: boolean
  /** Where the vectors of each collection are; empty when the catalog cannot be read. */
  ledger: LedgerRow[]
  persistDirectory: string
}

const IDS = Object.keys(INVARIANTS)

/** How often a directory is checked in which something is wrong, but which was written to meanwhile. */
const ATTEMPTS = 6

const WRITTEN_TO =
  'Another process wrote to the directory while it was checked: what else is found may be of that moment only. Stop it, and check again.'

/**
 * Checks every invariant of a directory without changing a byte of it. Whatever is damaged is a finding, and keeps no
 * other check from being made. Nobody is kept from writing: what looks wrong in a directory that was written to meanwhile is
 * looked at again while nobody can commit, for which every engine waits.
 *
 * Memory: some 60 bytes for each vector of the largest collection, and 100 MB for pages of the database.
 *
 * @throws ChopsError `not-found` or `usage` for a collection that is not there, `in-use` when the database gets locked
 */
export async function checkDatabase(
  dir: CheckedDirectory,
  options: CheckOptions = {},
): Promise<DatabaseCheck> {
  let found = await look(dir, options)
  for (let attempt = 2; attempt <= ATTEMPTS && !found.isSettled; attempt++)
    found = await lookAgain(dir, options, found)
  if (!found.isSettled) found.findings.add('P1', WRITTEN_TO)
  return report(dir, found, options.severity)
}

/** Afresh: what SQLite keeps in memory of a full-text index can be that of before, and a private copy is. */
async function reopened<T>(
  {path}: CheckedDirectory,
  work: (dir: CheckedDirectory) => Promise<T>,
): Promise<T> {
  const dir = await openForCheck(path)
  try {
    return await work(dir)
  } finally {
    await dir.close()
  }
}

interface Look extends Found {
  /** Nothing is wrong, or nobody has written meanwhile. */
  isSettled: boolean
  /** Of a transaction that was under way in the end. */
  journal: string | undefined
}

/**
 * What was read may not be what there is any more, and Chroma up to 0.6 writes an index before it commits what that holds.
 * A journal that stays as it was at the last look is nobody's any more.
 */
async function look(dir: CheckedDirectory, options: CheckOptions, last?: Look): Promise<Look> {
  const {databaseFile, db} = dir
  const before = await versionOf(dir)
  const found = await checkOnce(dir, options)
  const journal = db && (await journalOf({databaseFile, db}))
  const isUnchanged = (await versionOf(dir)) === before && (db?.isCurrent() ?? true)
  const isQuiet = isUnchanged && (journal === undefined || journal === last?.journal)
  return {...found, isSettled: isQuiet || !isAlarming(found), journal}
}

/** While nobody can commit. A writer may still begin a transaction. */
async function lookAgain(dir: CheckedDirectory, options: CheckOptions, last: Look): Promise<Look> {
  return reopened(dir, async (again) => {
    const {databaseFile, db} = again
    const work = () => look(again, options, last)
    return db?.source === 'direct' ? betweenWrites({databaseFile, db}, work, options.signal) : work()
  })
}

function isAlarming({findings}: Found): boolean {
  return findings.all.some(({severity}) => severity === 'C' || severity === 'E')
}

/** Another one after another connection has committed; undefined where the database cannot be read. */
async function versionOf({db}: CheckedDirectory): Promise<number | undefined> {
  const row = await db?.get<{data_version: number}>('PRAGMA data_version').catch((error: unknown) => {
    if (damageText(error) === undefined) throw error
  })
  return row?.data_version
}

function report(
  {generation, path}: CheckedDirectory,
  {findings: {all}, ledger}: Found,
  least: Severity = 'I',
): DatabaseCheck {
  const counts = {C: 0, E: 0, I: 0, W: 0}
  for (const {severity} of all) counts[severity] += 1
  const shown = all.filter(({severity}) => isAtLeast(severity, least))
  const rank = ({id, severity}: Finding): number =>
    SEVERITIES.indexOf(severity) * IDS.length + IDS.indexOf(id)
  return {
    chromaVersion: generation ? generationText(generation) : 'unknown',
    counts,
    findings: shown.sort((a, b) => rank(a) - rank(b)),
    healthy: counts.C + counts.E + counts.W === 0,
    ledger,
    persistDirectory: path,
  }
}
