import {IdTable} from '@chops/core/index-files'
import {OPERATION} from '@chops/core/log'
import {keysetPages} from '@chops/core/sqlite'

import type {CheckContext} from './context.js'
import type {CollectionFacts} from './facts.js'

/**
 * What the rows of the log that wait for one of the segments come to, for one id: whether it ends up with a vector and
 * with a record, and whether its vector was deleted on the way, so that the one in the index is not its own any more.
 */
export const PENDING = {
  deleted: 4,
  isRecord: 32,
  recordGone: 16,
  recordThere: 8,
  vectorGone: 2,
  vectorThere: 1,
} as const

/** Rows of a collection that an engine cannot apply. */
export interface UnusableRows {
  seqIds: number[]
  /** What is wrong with the first one; goes on after its number. */
  what: string
}

export interface PendingLog {
  /** Marks of PENDING by id, by topic. */
  byTopic: Map<string, IdTable>
  /** Rows that only the index waits for, and whose metadata only a Python engine reads: it has NaN and infinities. */
  unreadable: Map<string, UnusableRows>
  unusable: Map<string, UnusableRows>
}

interface Row {
  bytes: null | number
  encoding: null | string
  id: null | string
  metadataState: null | string
  operation: null | string
  seq_id: number
  topic: string
  vectorType: string
}

const PAGE = 5000
const NOT_JSON = 'has metadata that is not JSON'

/**
 * Goes once through the rows of the log that some segment has not applied.
 *
 * Memory: some 50 bytes for each id in them.
 *
 * @param applied how far each VECTOR segment is, by collection id
 */
export async function readPending(
  {db, facts, onStep, signal}: CheckContext,
  applied: ReadonlyMap<string, number>,
  logEnd: number,
): Promise<PendingLog> {
  const pending: PendingLog = {byTopic: new Map(), unreadable: new Map(), unusable: new Map()}
  const collections = new Map(facts.collections.map((collection) => [collection.topic, collection]))
  const positions = facts.collections.map((collection) => {
    const vector = applied.get(collection.id) ?? 0
    return {least: Math.min(collection.metadataSegment?.maxSeqId ?? 0, vector), topic: collection.topic}
  })
  const pages = keysetPages<Row>(db, {
    columns: `q.seq_id, q.topic, CAST(q.id AS TEXT) AS id, CAST(q.operation AS TEXT) AS operation,
              CAST(q.encoding AS TEXT) AS encoding, length(q.vector) AS bytes, typeof(q.vector) AS vectorType,
              CASE WHEN q.metadata IS NULL THEN 'none' WHEN NOT json_valid(q.metadata) THEN 'not JSON'
                   ELSE COALESCE(json_type(q.metadata, '$."chroma:document"'), 'none') END AS metadataState`,
    from: `embeddings_queue q CROSS JOIN (
             SELECT CAST(json_extract(value, '$.topic') AS TEXT) AS topic, json_extract(value, '$.least') AS least
             FROM json_each(?)) p ON p.topic = q.topic AND q.seq_id > p.least`,
    key: 'q.seq_id',
    pageSize: PAGE,
    params: [JSON.stringify(positions)],
  })
  for await (const page of pages) {
    signal?.throwIfAborted()
    for (const row of page) {
      const collection = collections.get(row.topic)
      if (collection) take(pending, collection, applied.get(collection.id) ?? 0, row)
    }

    onStep('log', page.at(-1)?.seq_id ?? 0, logEnd)
  }

  return pending
}

function take(pending: PendingLog, collection: CollectionFacts, vectorApplied: number, row: Row): void {
  const waitsForVector = row.seq_id > vectorApplied
  const waitsForRecord = row.seq_id > (collection.metadataSegment?.maxSeqId ?? 0)
  const what = defectOf(row, collection.dimension, waitsForVector, waitsForRecord)
  if (what !== undefined) {
    note(pending.unusable, row, what)
    return
  }

  if (row.metadataState === 'not JSON') note(pending.unreadable, row, NOT_JSON)

  const table = pending.byTopic.get(row.topic) ?? new IdTable()
  pending.byTopic.set(row.topic, table)
  const id = row.id ?? ''
  const known = table.slotOf(id)
  const slot = known < 0 ? table.set(id, row.seq_id) : known
  let marks = table.marksAt(slot)
  const {add, delete: remove, upsert} = OPERATION
  const operation = Number(row.operation)
  if (operation === remove) {
    if (waitsForVector) marks = (marks & ~PENDING.vectorThere) | PENDING.vectorGone | PENDING.deleted
    if (waitsForRecord) marks = (marks & ~PENDING.recordThere) | PENDING.recordGone
  } else if (operation === add || operation === upsert) {
    if (waitsForVector) marks = (marks & ~PENDING.vectorGone) | PENDING.vectorThere
    if (waitsForRecord) marks = (marks & ~PENDING.recordGone) | PENDING.recordThere
  }

  table.setMarks(slot, marks)
}

function note(rows: Map<string, UnusableRows>, {seq_id: seqId, topic}: Row, what: string): void {
  const known = rows.get(topic) ?? {seqIds: [], what}
  known.seqIds.push(seqId)
  rows.set(topic, known)
}

/** Why no engine can apply a row (`rust/log/src/sqlite_log.rs`, `read`; `apply_log_chunk` in `local_hnsw.rs`). */
function defectOf(
  {bytes, encoding, id, metadataState, operation, vectorType}: Row,
  dimension: null | number,
  waitsForVector: boolean,
  waitsForRecord: boolean,
): string | undefined {
  if (!/^[0-4]$/.test(operation ?? '')) return `has the unknown operation ${JSON.stringify(operation)}`
  if (id === null) return 'has no id'
  const adds = operation === `${OPERATION.add}` || operation === `${OPERATION.upsert}`
  if (waitsForVector) {
    if (vectorType === 'null') {
      if (adds) return 'adds a record without a vector'
    } else if (vectorType !== 'blob') return `has a vector stored as ${vectorType.toUpperCase()}`
    else if (encoding !== null && encoding !== 'FLOAT32')
      return `has a vector in the encoding ${JSON.stringify(encoding)}, not FLOAT32`
    else if (dimension !== null && bytes !== 4 * dimension)
      return `has a vector of ${(bytes ?? 0) / 4} dimensions, and the collection has ${dimension}`
  }

  if (waitsForRecord) {
    if (metadataState === 'not JSON') return NOT_JSON
    if (metadataState !== 'text' && metadataState !== 'none' && metadataState !== 'null')
      return `has a document that is no text but ${metadataState}`
  }

  return undefined
}
