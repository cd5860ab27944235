import {type CollectionChoice, selectCollection} from '@chops/core/catalog'
import {betweenWrites, isBeingWritten} from '@chops/core/change'
import {type Generation, generationText, NEWEST_SCHEMA} from '@chops/core/persist-dir'
import {readLogEnd} from '@chops/core/log'

import type {Finding} from './finding.js'
import {type CheckedDirectory, openForCheck} from './open.js'

import {readApplied} from './applied.js'
import {checkCatalog} from './catalog.js'
import {asPersistDir, type CheckContext, damageText, deniedText, Findings, type OnStep} from './context.js'
import {checkEnvironment} from './environment.js'
import {type CollectionFacts, type Facts, inferGeneration, readFacts} from './facts.js'
import {checkFolders} from './folders.js'
import {checkIndex, type IndexIds, sizeOfIndex} from './index-files.js'
import {INVARIANTS, isAtLeast, SEVERITIES, type Severity} from './invariants.js'
import {checkLedger, type LedgerRow, takeLedger} from './ledger.js'
import {checkLogEnd, checkOrder, checkPositions, checkPurging, checkRows, checkTopics} from './log.js'
import {checkMetadata} from './metadata.js'
import {type PendingLog, readPending} from './pending.js'
import {checkSchema} from './schema.js'
import {checkSqlite} from './sqlite.js'

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

export interface CheckOptions {
  /** Keep all ids of lost vectors and of vectors without a record. */
  allIds?: boolean | undefined
  /** Look at the index and the vectors of this collection only. */
  collection?: CollectionChoice | undefined
  /** Load each graph and measure what searches can reach. */
  measureReach?: boolean | undefined
  onStep?: OnStep
  /** The least severity that is reported. */
  severity?: Severity | undefined
  signal?: AbortSignal
}

const IDS = Object.keys(INVARIANTS)

/** How often a directory is checked in which something is wrong, but which was written to meanwhile. */
const ATTEMPTS = 6

const WRITTEN_TO =
  'Another process wrote to the directory while it was checked: what else is found may be of that moment only. Stop it, and check again.'

const NO_FACTS: Facts = {collections: [], positions: [], segments: []}

/**
 * Checks every invariant of a directory without changing a byte of it. Whatever is damaged is a finding, and keeps no
 * other check from being made. One part after the other is read, without keeping others from writing: what looks wrong
 * in a directory that was written to meanwhile is looked at again, at last while nobody can commit. Engines wait for that.
 *
 * Memory: some 60 bytes for each vector of the largest collection, and 100 MB for pages of the database.
 *
 * @throws ChopsError `not-found` or `usage` for a collection that is not there, `in-use` when the database gets locked
 */
export async function checkDatabase(
  dir: CheckedDirectory,
  options: CheckOptions = {},
): Promise<DatabaseCheck> {
  let checked = await look(dir, options)
  for (let attempt = 2; attempt <= ATTEMPTS && !isCertain(checked); attempt++)
    checked = await reopened(dir, (again) => lookLocked(again, options))
  if (!isCertain(checked)) checked.findings.add('P1', WRITTEN_TO)
  return report(dir, checked, options.severity)
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

async function look(dir: CheckedDirectory, options: CheckOptions): Promise<Checked> {
  const before = await versionOf(dir)
  const checked = await checkOnce(dir, options)
  const isSettled = (await versionOf(dir)) === before && (await isQuiet(dir))
  return {...checked, isSettled}
}

/**
 * While nobody can commit. A writer may still begin, and Chroma up to 0.6 may write an index, for as much as fits into one
 * transaction.
 */
async function lookLocked(dir: CheckedDirectory, options: CheckOptions): Promise<Checked> {
  const {databaseFile, db} = dir
  if (db?.source !== 'direct') return look(dir, options)
  return betweenWrites({databaseFile, db}, () => look(dir, options), options.signal)
}

interface Checked {
  findings: Findings
  /** Nobody has written meanwhile. */
  isSettled: boolean
  ledger: LedgerRow[]
}

function isCertain(checked: Checked): boolean {
  return checked.isSettled || alarmsOf(checked) === 0
}

function alarmsOf({findings}: Pick<Checked, 'findings'>): number {
  return findings.all.filter(({severity}) => severity === 'C' || severity === 'E').length
}

/** Another one after another connection has committed; undefined where the database cannot be read. */
async function versionOf({db}: CheckedDirectory): Promise<number | undefined> {
  const row = await db?.get<{data_version: number}>('PRAGMA data_version').catch((error: unknown) => {
    if (damageText(error) === undefined) throw error
  })
  return row?.data_version
}

/**
 * Whether what was read is still what there is. A private copy, which is all that can be read of some databases, stays as
 * it is; and Chroma up to 0.6 writes an index before it commits what that holds.
 */
async function isQuiet({databaseFile, db}: CheckedDirectory): Promise<boolean> {
  return !db || (db.isCurrent() && !(await isBeingWritten({databaseFile, db})))
}

async function checkOnce(dir: CheckedDirectory, options: CheckOptions): Promise<Omit<Checked, 'isSettled'>> {
  const findings = new Findings()
  const ledger: LedgerRow[] = []
  await checkEnvironment(dir.path, dir.databaseFile, findings)
  if (dir.db) ledger.push(...(await checkAll(dir, findings, options)))
  else if (dir.failure) {
    const {message, next = ''} = dir.failure
    findings.add(deniedText(dir.failure) === undefined ? 'S1' : 'P3', `${message} ${next}`.trim())
  }

  return {findings, ledger}
}

async function checkAll(
  dir: CheckedDirectory,
  findings: Findings,
  options: CheckOptions,
): Promise<LedgerRow[]> {
  const {databaseFile, db, failure, path} = dir
  if (!db) return []
  if (failure) findings.add('S3', `${failure.message} ${failure.next ?? ''}`.trim())
  const generation =
    dir.generation ?? (await findings.guard('S4', 'The schema', () => inferGeneration(db))) ?? UNKNOWN
  const facts = await findings.guard('S1', 'The catalog (collections and segments)', () =>
    readFacts({db, generation}),
  )
  const context: CheckContext = {
    allIds: options.allIds ?? false,
    databaseFile,
    db,
    facts: facts ?? NO_FACTS,
    findings,
    generation,
    measureReach: options.measureReach ?? false,
    onStep: options.onStep ?? (() => {}),
    path,
    selected: selectedOf(facts ?? NO_FACTS, options.collection),
    signal: options.signal,
  }
  const ahead = await readAhead(context)
  await checkSqlite(context, dir)
  await checkSchema(context)
  context.onStep('catalog', 0, 1)
  await findings.guard('S1', 'The catalog', () => checkCatalog(context))
  await checkMetadata(context)
  const ledger = await checkVectors(context, ahead)
  // Without the segments every folder would look as if nobody owned it.
  if (facts) await findings.guard('H2', 'The folders', () => checkFolders(context, ledger))
  return ledger
}

/** An index that is being read already. */
interface Ahead {
  collection: CollectionFacts
  index: Promise<IndexIds | undefined>
}

/**
 * Begins to read the files of the largest index, so that the processor works on them while SQLite, in a thread of its
 * own, checks the database. One only, because what is kept of an index stays in memory until its turn comes.
 */
async function readAhead(context: CheckContext): Promise<Ahead | undefined> {
  const sizes = await Promise.all(
    context.selected.map(async (collection) => ({collection, size: await sizeOfIndex(context, collection)})),
  )
  const largest = sizes.sort((a, b) => b.size - a.size)[0]
  if (!largest || largest.size === 0) return undefined
  const {collection} = largest
  const index = readIndex(context, collection, () => {})
  // Whoever awaits it hears of a failure; a check that ended before must not die of one that nobody hears.
  index.catch(() => {})
  return {collection, index}
}

function readIndex(
  context: CheckContext,
  collection: CollectionFacts,
  onShare: (share: number) => void,
): Promise<IndexIds | undefined> {
  return context.findings.guard('H3', 'The index', () => checkIndex(context, collection, onShare), collection)
}

/** W, H and X: the log, the indexes, and both against the records. */
async function checkVectors(context: CheckContext, ahead: Ahead | undefined): Promise<LedgerRow[]> {
  const {findings, onStep, selected} = context
  const guard = <T>(what: string, work: () => Promise<T>): Promise<T | undefined> =>
    findings.guard('S1', what, work)
  checkPositions(context)
  const applied = await readApplied(context)
  const logEnd = await guard('The log', () => readLogEnd(asPersistDir(context)))
  if (logEnd !== undefined) checkLogEnd(context, logEnd, applied)
  onStep('log', 0, 1)
  const pending = await guard('The log', () => readPending(context, applied, logEnd ?? 0))
  if (pending) checkRows(context, pending)
  await guard('The topics of the log', () => checkTopics(context, applied))
  await guard('The order of records and vectors', () => checkOrder(context, applied))
  await findings.guard('W9', 'The configuration of the log', () => checkPurging(context))
  const ledger: LedgerRow[] = []
  for (const [position, collection] of selected.entries()) {
    onStep('index', position, selected.length)
    const onShare = (share: number): void => onStep('index', position + share, selected.length)
    const index = await (ahead?.collection === collection
      ? ahead.index
      : readIndex(context, collection, onShare))
    const row = await checkCollection(context, collection, index, pending)
    if (row) ledger.push(row)
  }

  return ledger
}

async function checkCollection(
  context: CheckContext,
  collection: CollectionFacts,
  index: IndexIds | undefined,
  pending: PendingLog | undefined,
): Promise<LedgerRow | undefined> {
  const {findings} = context
  if (!pending) return undefined
  const waiting = pending.byTopic.get(collection.topic)
  const row = await findings.guard(
    'X1',
    'The vectors',
    () => takeLedger(context, collection, index, waiting),
    collection,
  )
  if (row) checkLedger(context, collection, row)
  return row
}

/** What nothing is known of is taken for the newest: nothing is missed there. */
const UNKNOWN: Generation = {
  engine: 'rust',
  releases: 'unknown',
  schema: NEWEST_SCHEMA,
}

function selectedOf(facts: Facts, choice: CollectionChoice | undefined): CollectionFacts[] {
  if (!choice) return facts.collections
  const {id} = selectCollection(facts, choice)
  return facts.collections.filter((collection) => collection.id === id)
}

function report(
  {generation, path}: CheckedDirectory,
  {findings: {all}, ledger}: Pick<Checked, 'findings' | 'ledger'>,
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
