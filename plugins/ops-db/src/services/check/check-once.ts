import {type CollectionChoice, selectCollection} from '@chops/core/catalog'
import {readLogEnd} from '@chops/core/log'
import {type Generation, NEWEST_SCHEMA} from '@chops/core/persist-dir'

import {readApplied} from './applied.js'
import {checkCatalog} from './catalog.js'
import {asPersistDir, type CheckContext, deniedText, Findings, type OnStep} from './context.js'
import {checkEnvironment} from './environment.js'
import {type CollectionFacts, type Facts, inferGeneration, readFacts} from './facts.js'
import {checkFolders} from './folders.js'
import {checkIndex, type IndexIds, sizeOfIndex} from './index-files.js'
import type {Severity} from './invariants.js'
import {checkLedger, type LedgerRow, takeLedger} from './ledger.js'
import {checkLogEnd, checkOrder, checkPositions, checkPurging, checkRows, checkTopics} from './log.js'
import {checkMetadata} from './metadata.js'
import type {CheckedDirectory} from './open.js'
import {type PendingLog, readPending} from './pending.js'
import {checkSchema} from './schema.js'
import {checkSqlite} from './sqlite.js'

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

/** What one look at a directory has found. */
export interface Found {
  findings: Findings
  ledger: LedgerRow[]
}

const NO_FACTS: Facts = {collections: [], positions: [], segments: []}

/**
 * Looks at every invariant once. Whatever is damaged is a finding, and keeps no other check from being made; the parts are
 * read one after the other.
 */
export async function checkOnce(dir: CheckedDirectory, options: CheckOptions): Promise<Found> {
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
