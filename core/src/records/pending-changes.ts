import type {Collection} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {StoredMetadata} from './record.js'

import {damaged} from '../errors.js'
import {OPERATION} from '../log/operation.js'
import {parseExactJson} from './exact-json.js'
import {type PendingRow, pendingRows} from './pending-rows.js'
import {isMetadataValue} from './stored-metadata.js'

/** What the log does to one record that the metadata segment has, or will have. */
interface Change {
  exists: boolean
  /** The record begins in the log: a row of the metadata segment under this id, if there is one, is gone. */
  isNew: boolean
  /** The log rows whose metadata add up to the record's, on top of the segment's. */
  seqIds: number[]
}

/**
 * The part of a collection's log that its metadata segment has not applied: an add of a known id and an update or delete
 * of an unknown one do nothing, an update or upsert of a known one changes only the keys it names
 * (`apply_logs` in `rust/segment/src/sqlite_metadata.rs`, `_write_metadata` in `segment/impl/metadata/sqlite.py`).
 *
 * Memory: ids and row numbers of these rows; their content is read when a page needs it.
 */
export class PendingChanges {
  private readonly changes = new Map<string, Change>()

  private constructor(
    private readonly dir: PersistDir,
    private readonly collection: Collection,
  ) {}

  static async read(dir: PersistDir, collection: Collection, signal?: AbortSignal): Promise<PendingChanges> {
    const pending = new PendingChanges(dir, collection)
    for await (const page of pendingRows(dir, collection)) {
      signal?.throwIfAborted()
      for (const row of page) pending.apply(row)
    }

    return pending
  }

  /** The ids of records that only the log has, in the order in which they will get their place. */
  newIds(): string[] {
    return [...this.changes]
      .filter(([, {exists, isNew}]) => exists && isNew)
      .sort(([, a], [, b]) => (a.seqIds[0] as number) - (b.seqIds[0] as number))
      .map(([id]) => id)
  }

  /** Whether the row that the metadata segment has for this id is no longer the record. */
  replaces(id: string): boolean {
    return this.changes.get(id)?.isNew ?? false
  }

  /** Changes the metadata of these records (by id) as the log does. */
  async applyTo(records: ReadonlyMap<string, StoredMetadata>): Promise<void> {
    const wanted = new Map<number, StoredMetadata>()
    for (const [id, stored] of records) {
      for (const seqId of this.changes.get(id)?.seqIds ?? []) wanted.set(seqId, stored)
    }

    if (wanted.size === 0) return
    const rows = await this.dir.db.all<{metadata: null | string; seq_id: number}>(
      `SELECT seq_id, metadata FROM embeddings_queue
       WHERE seq_id IN (SELECT value FROM json_each(?)) ORDER BY seq_id`,
      [JSON.stringify([...wanted.keys()])],
    )
    for (const {metadata, seq_id: seqId} of rows) {
      const stored = wanted.get(seqId)
      if (stored && metadata !== null) this.merge(stored, metadata, seqId)
    }
  }

  private apply({id, known, operation, seq_id: seqId}: PendingRow): void {
    const change = this.changes.get(id) ?? {exists: known === 1, isNew: known !== 1, seqIds: []}
    this.changes.set(id, change)
    if (operation === OPERATION.delete) {
      Object.assign(change, {exists: false, isNew: true, seqIds: []})
    } else if (change.exists && (operation === OPERATION.update || operation === OPERATION.upsert)) {
      change.seqIds.push(seqId)
    } else if (!change.exists && (operation === OPERATION.add || operation === OPERATION.upsert)) {
      Object.assign(change, {exists: true, seqIds: [seqId]})
    }
  }

  /** A null takes a key away. */
  private merge(stored: StoredMetadata, json: string, seqId: number): void {
    for (const [key, value] of Object.entries(this.parse(json, seqId))) {
      if (value === null) stored.delete(key)
      else if (isMetadataValue(value)) stored.set(key, value)
      else throw this.unreadable(seqId, `has a value of ${JSON.stringify(key)} that no metadata can have`)
    }
  }

  private parse(json: string, seqId: number): object {
    try {
      const value = parseExactJson(json)
      if (typeof value === 'object' && value !== null) return value
    } catch (error) {
      throw this.unreadable(seqId, 'has metadata that is not JSON', error)
    }

    throw this.unreadable(seqId, 'has metadata that is no object')
  }

  private unreadable(seqId: number, what: string, cause?: unknown): Error {
    const file = this.dir.databaseFile
    return damaged(`Row ${seqId} of the log (collection ${this.collection.name}) ${what}.`, {
      cause,
      file,
      next: 'Chroma cannot apply this row either; restore chroma.sqlite3 from a backup, or write the record again.',
    })
  }
}
