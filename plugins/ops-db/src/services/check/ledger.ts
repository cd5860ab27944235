import {counted} from '@chops/core/output'
import {readIndexMetadata} from '@chops/core/hnsw'
import {IdTable} from '@chops/core/index-files'
import {keysetPages} from '@chops/core/sqlite'

import type {CollectionFacts} from './facts.js'
import type {FindingCollection} from './finding.js'
import type {IndexIds} from './index-files.js'

import type {CheckContext} from './context.js'
import {byFix} from './finding.js'
import {PENDING} from './pending.js'

/** Where the vectors of a collection are. The numbers are null where its index cannot be read. */
export interface LedgerRow extends FindingCollection {
  /** Elements of the index that are marked as deleted. */
  deleted: null | number
  /** All elements of the index. */
  elements: null | number
  /** Records whose vector is in the index. */
  indexed: null | number
  /** Records whose vector is in the log only. */
  inLogOnly: null | number
  /** Records whose vector is nowhere. */
  lost: null | number
  /** Their ids: all of them with `verbose`, otherwise the first few. */
  lostIds: string[]
  /** Records, as `count()` answers once the log is applied. */
  records: number
  /** What can be done without losing a vector (X2). */
  safe: {
    /** Delete or move away the folder of the index. */
    deleteFolder: boolean
    /** Delete the applied rows of the log (wal clean keeps all others). */
    purgeLog: boolean
    /** Build the index anew. */
    rebuild: boolean
  }
  /** Vectors in the index or the log that no record has. */
  withoutRecord: null | number
  /** Their ids, as of `lostIds`. */
  withoutRecordIds: string[]
}

const SHOWN = 5

const PAGE = 5000

/** Mark of an id in the index whose record was seen. */
const HAS_RECORD = 1

/**
 * X1: compares the records of a collection with the vectors in its index and in the log, by id. Both are taken as they
 * will be once the waiting log rows are applied.
 *
 * Memory: some 50 bytes for each id of the index and of the waiting rows.
 *
 * @param index undefined when it cannot be read: then only records are counted
 * @param pending marks of PENDING
 */
export async function takeLedger(
  context: CheckContext,
  collection: CollectionFacts,
  index: IndexIds | undefined,
  pending: IdTable | undefined,
): Promise<LedgerRow> {
  const {database, id, name, tenant} = collection
  const ledger = new Ledger(index, pending, context.allIds)
  for await (const page of recordPages(context, collection)) {
    context.signal?.throwIfAborted()
    for (const {embedding_id: id} of page) ledger.take(id)
  }

  ledger.takeWaitingRecords()
  const withoutRecord = collection.metadataSegment
    ? await ledger.readWithoutRecord(context, collection)
    : {count: 0, ids: []}
  const isKnown = index !== undefined
  return {
    database,
    deleted: index?.deleted ?? null,
    elements: index?.elements ?? null,
    id,
    indexed: isKnown ? ledger.indexed : null,
    inLogOnly: isKnown ? ledger.inLogOnly : null,
    lost: isKnown ? ledger.lost : null,
    lostIds: ledger.lostIds,
    name,
    records: ledger.records,
    safe: {
      deleteFolder: isKnown && ledger.indexed === 0,
      purgeLog: isKnown && ledger.lost === 0,
      rebuild: isKnown && ledger.lost === 0,
    },
    tenant,
    withoutRecord: isKnown ? withoutRecord.count : null,
    withoutRecordIds: withoutRecord.ids,
  }
}

/** The findings of a ledger. */
export function checkLedger(
  {findings, path}: CheckContext,
  collection: CollectionFacts,
  row: LedgerRow,
): void {
  findings.count(
    'X1',
    row.lost ?? 0,
    (count) =>
      `${counted(count, 'record')} lost their vectors: neither the index nor the log has them (${row.lostIds
        .slice(0, SHOWN)
        .map((id) => JSON.stringify(id))
        .join(', ')}${count > SHOWN ? ', ...' : ''}).`,
    {collection, ...byFix(path, 'partly')},
  )
  findings.count(
    'X1',
    row.withoutRecord ?? 0,
    (count) =>
      `${counted(count, 'vector')} that no record has and no waiting row deletes (${row.withoutRecordIds
        .slice(0, SHOWN)
        .map((id) => JSON.stringify(id))
        .join(', ')}${count > SHOWN ? ', ...' : ''}): searches find them.`,
    {collection, ...byFix(path), severity: 'E'},
  )
}

/** The ids of the records, in the order of the index over segments and ids, which has all that is asked for. */
function recordPages(
  {db}: CheckContext,
  {metadataSegment}: CollectionFacts,
): AsyncGenerator<{embedding_id: string}[]> {
  return keysetPages(db, {
    ahead: true,
    columns: 'CAST(e.embedding_id AS TEXT) AS embedding_id',
    from: 'embeddings e',
    key: 'e.embedding_id',
    pageSize: PAGE,
    params: [metadataSegment?.id ?? ''],
    where: 'e.segment_id = ?',
  })
}

/**
 * Ids that the log adds, each once.
 *
 * @yields an id
 */
async function* loggedIds({db, signal}: CheckContext, {topic}: CollectionFacts): AsyncGenerator<string> {
  const seen = new IdTable()
  const pages = keysetPages<{id: string; seq_id: number}>(db, {
    columns: 'seq_id, CAST(id AS TEXT) AS id',
    from: 'embeddings_queue',
    key: 'seq_id',
    pageSize: PAGE,
    params: [topic],
    where: 'topic = ? AND operation IN (0, 2)',
  })
  for await (const page of pages) {
    signal?.throwIfAborted()
    for (const {id} of page) {
      if (seen.slotOf(id) >= 0) continue
      seen.set(id, 0)
      yield id
    }
  }
}

class Ledger {
  indexed = 0
  inLogOnly = 0
  lost = 0
  readonly lostIds: string[] = []
  records = 0

  constructor(
    private readonly index: IndexIds | undefined,
    private readonly pending: IdTable | undefined,
    private readonly keepsAll: boolean,
  ) {}

  /** A row of the table of records. */
  take(id: string): void {
    const waiting = this.pending?.slotOf(id) ?? -1
    const marks = waiting < 0 ? 0 : (this.pending?.marksAt(waiting) ?? 0)
    if (waiting >= 0) this.pending?.setMarks(waiting, marks | PENDING.isRecord)
    const slot = this.index?.ids.slotOf(id) ?? -1
    if (slot >= 0) this.index?.ids.setMarks(slot, HAS_RECORD)
    if (marks & PENDING.recordGone) return
    this.records += 1
    if (this.count(slot, marks)) return
    if (this.index && (this.keepsAll || this.lostIds.length < SHOWN)) this.lostIds.push(id)
  }

  /** Records that the waiting rows are going to add. */
  takeWaitingRecords(): void {
    const {index, pending} = this
    for (const waiting of pending?.slots() ?? []) {
      const marks = pending?.marksAt(waiting) ?? 0
      if (!(marks & PENDING.recordThere) || marks & PENDING.isRecord || !pending) continue
      pending.setMarks(waiting, marks | PENDING.isRecord)
      const slot = index?.ids.slotAs(pending, waiting) ?? -1
      if (slot >= 0) index?.ids.setMarks(slot, HAS_RECORD)
      this.records += 1
      this.count(slot, marks)
    }
  }

  /** Vectors that nothing refers to: ids of the index first, then those of the log. */
  async readWithoutRecord(
    context: CheckContext,
    collection: CollectionFacts,
  ): Promise<{count: number; ids: string[]}> {
    const {allIds, signal} = context
    const {index, pending} = this
    if (!index) return {count: 0, ids: []}
    let count = 0
    for (const slot of index.ids.slots()) if (this.isWithoutRecord(slot)) count += 1
    const ids: string[] = []
    const {file} = index
    if (count > 0 && file !== undefined) {
      const onId = (id: string): void => {
        const slot = index.ids.slotOf(id)
        if (slot >= 0 && this.isWithoutRecord(slot) && (allIds || ids.length < SHOWN)) ids.push(id)
      }

      await readIndexMetadata(file, {ids: 'fingerprints', onId, signal})
    }

    let logged = 0
    for (const waiting of pending?.slots() ?? []) if (this.isLoggedWithoutRecord(waiting)) logged += 1
    if (logged > 0) {
      for await (const id of loggedIds(context, collection)) {
        const waiting = pending?.slotOf(id) ?? -1
        const isOne = waiting >= 0 && this.isLoggedWithoutRecord(waiting)
        if (isOne && (allIds || ids.length < SHOWN)) ids.push(id)
      }
    }

    return {count: count + logged, ids}
  }

  /** An id of the log only. */
  private isLoggedWithoutRecord(waiting: number): boolean {
    const {index, pending} = this
    if (!index || !pending || index.ids.slotAs(pending, waiting) >= 0) return false
    const marks = pending.marksAt(waiting)
    return (marks & PENDING.vectorThere) !== 0 && !(marks & PENDING.isRecord)
  }

  private isWithoutRecord(slot: number): boolean {
    const {index, pending} = this
    if (!index || index.ids.marksAt(slot) & HAS_RECORD || !index.live.has(index.ids.valueAt(slot)))
      return false
    const waiting = pending?.slotAs(index.ids, slot) ?? -1
    return waiting < 0 || !((pending?.marksAt(waiting) ?? 0) & PENDING.vectorGone)
  }

  /** Counts a record by where its vector is; false when it is nowhere. */
  private count(slot: number, marks: number): boolean {
    const {index} = this
    if (!index) return true
    const isInIndex = slot >= 0 && index.live.has(index.ids.valueAt(slot)) && !(marks & PENDING.deleted)
    if (marks & PENDING.vectorGone) this.lost += 1
    else if (isInIndex) this.indexed += 1
    else if (marks & PENDING.vectorThere) this.inLogOnly += 1
    else this.lost += 1
    return !(marks & PENDING.vectorGone) && (isInIndex || (marks & PENDING.vectorThere) !== 0)
  }
}
