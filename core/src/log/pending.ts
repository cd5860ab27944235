import type {Collection} from '../catalog/catalog.js'
import type {IndexOperation} from '../hnsw/build/operations.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {damaged} from '../errors.js'
import {keysetPages, type SqlValue} from '../sqlite/database.js'
import {OPERATION} from './operation.js'

/** Which id has which label, as `index_metadata.pickle` keeps it. */
export interface IdMap {
  idToLabel: Map<string, number>
  idToSeqId: Map<string, number>
  totalElementsAdded: number
}

/** The part of the log that an index has not applied, as operations on labels. */
export interface PendingLog {
  /** The id map after these operations. */
  ids: IdMap
  /** The newest row that was read, or where the index was before. */
  maxSeqId: number
  operations: IndexOperation[]
  rows: number
}

/** SQLite keeps a value of any type in any column but the key. */
interface StoredRow {
  encoding: SqlValue
  id: SqlValue
  operation: SqlValue
  seq_id: number
  vector: SqlValue
}

interface LogRow extends StoredRow {
  id: string
}

const PAGE = 2000

/**
 * Reads the rows of a collection's log after `applied` and says what they do to its index, as the engines do it: an add
 * of a known id and an update or delete of an unknown one do nothing; an id that was deleted and added again gets a new
 * label (`apply_log_chunk` in `rust/segment/src/local_hnsw.rs`, `_apply_batch` in `local_persistent_hnsw.py`).
 *
 * Memory: the pending vectors.
 *
 * @param ids the id map of the index; it is not changed
 * @throws ChopsError `damaged` for the first row that no engine could apply
 */
export async function readPendingLog(
  dir: PersistDir,
  collection: Collection,
  applied: number,
  ids: IdMap,
  signal?: AbortSignal,
): Promise<PendingLog> {
  const replay = new Replay(dir.databaseFile, collection, ids)
  const pages = keysetPages<StoredRow>(dir.db, {
    after: applied,
    ahead: true,
    columns: 'seq_id, operation, id, vector, encoding',
    from: 'embeddings_queue',
    key: 'seq_id',
    pageSize: PAGE,
    params: [collection.topic],
    where: 'topic = ?',
  })
  for await (const page of pages) {
    signal?.throwIfAborted()
    for (const row of page) replay.apply(row)
  }

  const {idToLabel, idToSeqId, operations, rows, totalElementsAdded} = replay
  return {
    ids: {idToLabel, idToSeqId, totalElementsAdded},
    maxSeqId: Math.max(applied, replay.lastSeqId),
    operations,
    rows,
  }
}

class Replay {
  readonly idToLabel: Map<string, number>
  readonly idToSeqId: Map<string, number>
  lastSeqId = 0
  readonly operations: IndexOperation[] = []
  rows = 0
  totalElementsAdded: number

  constructor(
    private readonly file: string,
    private readonly collection: Collection,
    ids: IdMap,
  ) {
    this.idToLabel = new Map(ids.idToLabel)
    this.idToSeqId = new Map(ids.idToSeqId)
    this.totalElementsAdded = ids.totalElementsAdded
  }

  apply(row: StoredRow): void {
    if (!hasTextAsId(row)) throw this.unusable(row, 'has an id that is no text')
    this.rows += 1
    this.lastSeqId = row.seq_id
    const label = this.idToLabel.get(row.id)
    switch (row.operation) {
      case OPERATION.add: {
        if (label === undefined) this.add(row)
        return
      }

      case OPERATION.update: {
        if (label !== undefined) this.update(row, label)
        return
      }

      case OPERATION.upsert: {
        if (label === undefined) this.add(row)
        else this.update(row, label)
        return
      }

      case OPERATION.delete: {
        if (label !== undefined) this.delete(row, label)
        return
      }

      case OPERATION.backfill: {
        return
      }

      default: {
        throw this.unusable(row, `has the unknown operation ${row.operation}`)
      }
    }
  }

  private add(row: LogRow): void {
    const vector = this.vectorOf(row)
    if (!vector) throw this.unusable(row, 'adds a record without an embedding')
    this.totalElementsAdded += 1
    this.idToLabel.set(row.id, this.totalElementsAdded)
    this.idToSeqId.set(row.id, row.seq_id)
    this.operations.push({label: this.totalElementsAdded, op: 'add', vector})
  }

  /** An update may be of metadata alone. */
  private update(row: LogRow, label: number): void {
    const vector = this.vectorOf(row)
    if (!vector) return
    this.idToSeqId.set(row.id, row.seq_id)
    this.operations.push({label, op: 'update', vector})
  }

  private delete(row: LogRow, label: number): void {
    this.idToLabel.delete(row.id)
    this.idToSeqId.delete(row.id)
    this.operations.push({label, op: 'delete'})
  }

  private vectorOf(row: LogRow): Float32Array | undefined {
    const {dimension} = this.collection
    if (row.vector === null) return undefined
    if (row.encoding !== 'FLOAT32' && row.encoding !== null) {
      throw this.unusable(
        row,
        `has an embedding in the encoding ${JSON.stringify(row.encoding)}, not FLOAT32`,
      )
    }

    if (!(row.vector instanceof Uint8Array)) throw this.unusable(row, 'has an embedding that is no BLOB')
    if (row.vector.byteLength !== 4 * (dimension ?? 0)) {
      throw this.unusable(
        row,
        `has an embedding of ${row.vector.byteLength / 4} dimensions, and the collection has ${dimension ?? 'none'}`,
      )
    }

    const {buffer, byteOffset, byteLength} = row.vector
    // The driver's buffer need not be aligned to four bytes.
    if (byteOffset % 4 !== 0) return new Float32Array(new Uint8Array(row.vector).buffer)
    return new Float32Array(buffer, byteOffset, byteLength / 4)
  }

  private unusable(row: StoredRow, what: string): Error {
    const {name} = this.collection
    return damaged(
      `Row ${row.seq_id} of the log (collection ${name}, id ${JSON.stringify(row.id)}) ${what}.`,
      {
        file: this.file,
        next: 'Chroma cannot apply this row either; remove the record with Chroma, or skip the collection.',
      },
    )
  }
}

function hasTextAsId(row: StoredRow): row is LogRow {
  return typeof row.id === 'string'
}
