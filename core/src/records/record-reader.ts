import type {Collection} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {ChromaRecord, StoredMetadata} from './record.js'

import {keysetPages} from '../sqlite/database.js'
import {countRecordsOf} from './count-records.js'
import {PendingChanges} from './pending-changes.js'
import {toRecord} from './record.js'
import {StoredMetadataReader} from './stored-metadata.js'
import {VectorPlaces} from './vector-places.js'

export interface ReadOptions {
  signal?: AbortSignal | undefined
}

/** A row of `embeddings`, the metadata segment's list of records. */
interface SegmentRow {
  embedding_id: string
  id: number
}

const PAGE = 500
const IDS_PAGE = 10_000

/**
 * Reads the records of a collection as Chroma would answer for them: the metadata segment and the index, and on top of
 * each the part of the log that it has not applied. A record without a vector comes without an embedding, never not at all.
 *
 * Memory: a page, a map from every id to the place of its vector, and the ids of the pending log. The directory should
 * not be written meanwhile.
 */
export class RecordReader {
  private constructor(
    private readonly dir: PersistDir,
    private readonly collection: Collection,
    private readonly parts: {changes: PendingChanges; metadata: StoredMetadataReader; vectors: VectorPlaces},
  ) {}

  /**
   * @throws ChopsError `damaged` when the index cannot be read or a row of the log cannot be applied
   */
  static async open(
    dir: PersistDir,
    collection: Collection,
    {signal}: ReadOptions = {},
  ): Promise<RecordReader> {
    const metadata = await StoredMetadataReader.open(dir)
    const changes = await PendingChanges.read(dir, collection, signal)
    const vectors = await VectorPlaces.read(dir, collection, {signal})
    return new RecordReader(dir, collection, {changes, metadata, vectors})
  }

  /** Closes the index file. */
  close(): void {
    this.parts.vectors.close()
  }

  /** How many records Chroma's `count()` answers. */
  count(): Promise<number> {
    return countRecordsOf(this.dir, this.collection)
  }

  /** Whether the vector of an id is in the index or in the log. */
  hasVector(id: string): boolean {
    return this.parts.vectors.has(id)
  }

  /**
   * The ids of all records in the order of `pages`.
   *
   * @yields the ids of one page
   */
  async *ids({signal}: ReadOptions = {}): AsyncGenerator<string[]> {
    for await (const rows of this.segmentPages(IDS_PAGE)) {
      signal?.throwIfAborted()
      yield rows.map((row) => row.embedding_id)
    }

    yield* chunks(this.parts.changes.newIds(), IDS_PAGE)
  }

  /**
   * All records, those of the metadata segment in their order, then those that only the log has.
   *
   * @param wanted says which records to read; all without it
   * @yields the records of one page, never none
   */
  async *pages({
    pageSize = PAGE,
    signal,
    wanted: isWanted = () => true,
  }: ReadOptions & {pageSize?: number; wanted?: (id: string) => boolean} = {}): AsyncGenerator<
    ChromaRecord[]
  > {
    for await (const rows of this.segmentPages(pageSize)) {
      signal?.throwIfAborted()
      const wanted = rows.filter((row) => isWanted(row.embedding_id))
      if (wanted.length > 0) yield await this.compose(wanted, [])
    }

    for (const page of chunks(this.parts.changes.newIds().filter(isWanted), pageSize)) {
      signal?.throwIfAborted()
      yield await this.compose([], page)
    }
  }

  /** The records of these ids, in no certain order; ids that do not exist are left out. */
  async byIds(ids: readonly string[]): Promise<ChromaRecord[]> {
    const rows = await this.dir.db.all<SegmentRow>(
      `SELECT id, embedding_id FROM embeddings
       WHERE segment_id = ? AND embedding_id IN (SELECT value FROM json_each(?))`,
      [this.collection.metadataSegment?.id ?? '', JSON.stringify(ids)],
    )
    const isAsked = new Set(ids)
    return this.compose(
      rows.filter((row) => !this.parts.changes.replaces(row.embedding_id)),
      this.parts.changes.newIds().filter((id) => isAsked.has(id)),
    )
  }

  /**
   * Rows of the metadata segment whose record the log does not replace or delete.
   *
   * @yields the rows of one page, never none
   */
  private async *segmentPages(pageSize: number): AsyncGenerator<SegmentRow[]> {
    const pages = keysetPages<SegmentRow>(this.dir.db, {
      columns: 'id, embedding_id',
      from: 'embeddings',
      key: 'id',
      pageSize,
      params: [this.collection.metadataSegment?.id ?? ''],
      // The plus keeps SQLite from the index of segment ids, with which it would sort all rows for every page.
      where: '+segment_id = ?',
    })
    for await (const page of pages) {
      const current = page.filter((row) => !this.parts.changes.replaces(row.embedding_id))
      if (current.length > 0) yield current
    }
  }

  private async compose(rows: SegmentRow[], newIds: string[]): Promise<ChromaRecord[]> {
    const {changes, metadata, vectors} = this.parts
    const byRow = await metadata.read(rows.map((row) => row.id))
    const stored = new Map<string, StoredMetadata>(
      rows.map((row) => [row.embedding_id, byRow.get(row.id) ?? new Map<never, never>()]),
    )
    for (const id of newIds) stored.set(id, new Map())
    await changes.applyTo(stored)
    const embeddings = await vectors.read([...stored.keys()])
    return [...stored].map(([id, own]) => toRecord(id, own, embeddings.get(id)))
  }
}

function* chunks<T>(items: T[], size: number): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
