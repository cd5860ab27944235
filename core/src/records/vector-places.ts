import {join} from 'node:path'

import type {Collection} from '../catalog/catalog.js'
import type {IndexFile, ScanOptions} from '../hnsw/files.js'
import type {HnswHeader} from '../hnsw/header.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {hnswParametersOf} from '../catalog/catalog.js'
import {damaged} from '../errors.js'
import {openIndexFile} from '../hnsw/files.js'
import {INDEX_METADATA_FILE, readIndexMetadata} from '../hnsw/index-metadata.js'
import {readNorms} from '../hnsw/length.js'
import {level0Chunks} from '../hnsw/level0.js'
import {appliedSeqId} from '../hnsw/segment-index.js'
import {readUsableHeader} from '../hnsw/usable-header.js'
import {OPERATION} from '../log/operation.js'
import {exists} from '../persist-dir/exists.js'
import {segmentFolder} from '../persist-dir/segment-folders.js'
import {keysetPages} from '../sqlite/database.js'

interface PendingVector {
  id: string
  operation: number
  seq_id: number
  /** Bytes of the vector; null without one. */
  size: null | number
}

const PAGE = 10_000

/** Rows of `data_level0.bin` that lie this near to each other are read at once. */
const GAP_BYTES = 64 * 1024
const RUN_BYTES = 4 * 1024 * 1024

/**
 * Where the vector of each id of a collection is: in the index, or in the part of the log that the index has not applied.
 *
 * Memory: the map, and of a cosine index four bytes for each element. Vectors are read when they are asked for.
 */
export class VectorPlaces {
  /** The internal id of an element of the index, or the negative number of a log row. */
  private readonly places = new Map<string, number>()

  private constructor(
    private readonly dir: PersistDir,
    private readonly collection: Collection,
    private readonly index:
      undefined | {file: IndexFile; header: HnswHeader; norms: Float32Array | undefined},
  ) {}

  /**
   * @throws ChopsError `damaged` when the index cannot be read at all, or a log row has a vector that no engine reads
   */
  static async read(
    dir: PersistDir,
    collection: Collection,
    options: ScanOptions = {},
  ): Promise<VectorPlaces> {
    const segment = collection.vectorSegment
    const folder = segment && segmentFolder(dir.path, segment.id)
    const metadataFile = folder && join(folder, INDEX_METADATA_FILE)
    if (!folder || !metadataFile || !(await exists(metadataFile))) {
      const places = new VectorPlaces(dir, collection, undefined)
      await places.followLog(appliedSeqId(collection), options.signal)
      return places
    }

    const metadata = await readIndexMetadata(metadataFile, {ids: true, signal: options.signal})
    const isCosine = hnswParametersOf(dir, collection).space === 'cosine'
    const header = await readUsableHeader(folder, {cosine: isCosine})
    const norms = isCosine ? await readNorms(folder, header, {signal: options.signal}) : undefined
    const file = openIndexFile(folder, 'data_level0.bin', header.curElementCount * header.sizeDataPerElement)
    const places = new VectorPlaces(dir, collection, {file, header, norms})
    try {
      await places.locate(folder, header, metadata.idToLabel, options)
      await places.followLog(appliedSeqId(collection, metadata), options.signal)
      return places
    } catch (error) {
      file.close()
      throw error
    }
  }

  close(): void {
    this.index?.file.close()
  }

  has(id: string): boolean {
    return this.places.has(id)
  }

  /** The original embeddings of these ids; those that are lost are left out. */
  async read(ids: readonly string[]): Promise<Map<string, Float32Array>> {
    const embeddings = new Map<string, Float32Array>()
    const inIndex: {id: string; place: number}[] = []
    const inLog = new Map<number, string>()
    for (const id of ids) {
      const place = this.places.get(id)
      if (place === undefined) continue
      if (place < 0) inLog.set(-place, id)
      else inIndex.push({id, place})
    }

    await this.readIndex(inIndex, embeddings)
    await this.readLog(inLog, embeddings)
    return embeddings
  }

  /** Turns the label of each id into the place of its live element, in one pass over the index. */
  private async locate(
    folder: string,
    header: HnswHeader,
    idToLabel: ReadonlyMap<string, number>,
    options: ScanOptions,
  ): Promise<void> {
    const owners = new Map([...idToLabel].map(([id, label]) => [label, id]))
    for await (const chunk of level0Chunks(folder, header, options)) {
      for (let row = 0; row < chunk.count; row++) {
        if (chunk.isDeleted(row)) continue
        const label = chunk.label(row)
        const id = owners.get(label)
        if (id === undefined) continue
        this.places.set(id, chunk.firstId + row)
        owners.delete(label)
      }
    }
  }

  /** As `readPendingLog` does, but for the vectors themselves. */
  private async followLog(applied: number, signal: AbortSignal | undefined): Promise<void> {
    const pages = keysetPages<PendingVector>(this.dir.db, {
      after: applied,
      columns: `seq_id, operation, id, length(vector) AS size`,
      from: 'embeddings_queue',
      key: 'seq_id',
      pageSize: PAGE,
      params: [this.collection.topic],
      where: 'topic = ?',
    })
    for await (const page of pages) {
      signal?.throwIfAborted()
      for (const row of page) this.follow(row)
    }
  }

  private follow({id, operation, seq_id: seqId, size}: PendingVector): void {
    const isKnown = this.places.has(id)
    if (operation === OPERATION.delete) this.places.delete(id)
    if (size === null) return
    const counts =
      operation === OPERATION.upsert ||
      (operation === OPERATION.add && !isKnown) ||
      (operation === OPERATION.update && isKnown)
    if (counts) this.places.set(id, -seqId)
  }

  /** Elements that lie together are read together: a page of records usually is a stretch of the index. */
  private async readIndex(
    wanted: {id: string; place: number}[],
    embeddings: Map<string, Float32Array>,
  ): Promise<void> {
    if (!this.index) return
    const {file, header} = this.index
    const {sizeDataPerElement: rowBytes} = header
    wanted.sort((a, b) => a.place - b.place)
    for (let from = 0; from < wanted.length;) {
      const first = (wanted[from] as {place: number}).place
      let to = from + 1
      for (; to < wanted.length; to++) {
        const {place} = wanted[to] as {place: number}
        const gap = (place - (wanted[to - 1] as {place: number}).place) * rowBytes
        if (gap > GAP_BYTES + rowBytes || (place - first + 1) * rowBytes > RUN_BYTES) break
      }

      const last = (wanted[to - 1] as {place: number}).place
      const rows = new Uint8Array((last - first + 1) * rowBytes)
      await file.read(rows, first * rowBytes)
      for (const {id, place} of wanted.slice(from, to)) {
        embeddings.set(id, this.embeddingAt(rows, (place - first) * rowBytes, place))
      }

      from = to
    }
  }

  /** What `getDataByLabel` of hnswlib gives back: in a cosine index the stored vector times its norm, in f32. */
  private embeddingAt(rows: Uint8Array, at: number, place: number): Float32Array {
    if (!this.index) throw new Error('there is no index')
    const {header, norms} = this.index
    const from = at + header.offsetData
    const embedding = new Float32Array(rows.slice(from, from + 4 * header.dimension).buffer)
    if (!norms) return embedding
    const norm = norms[place] as number
    for (let i = 0; i < embedding.length; i++) embedding[i] = (embedding[i] as number) * norm
    return embedding
  }

  private async readLog(
    wanted: ReadonlyMap<number, string>,
    embeddings: Map<string, Float32Array>,
  ): Promise<void> {
    if (wanted.size === 0) return
    const rows = await this.dir.db.all<{encoding: null | string; seq_id: number; vector: Uint8Array}>(
      'SELECT seq_id, encoding, vector FROM embeddings_queue WHERE seq_id IN (SELECT value FROM json_each(?))',
      [JSON.stringify([...wanted.keys()])],
    )
    for (const {encoding, seq_id: seqId, vector} of rows) {
      const id = wanted.get(seqId)
      if (id === undefined) continue
      if (
        (encoding !== null && encoding !== 'FLOAT32') ||
        vector.byteLength !== 4 * (this.collection.dimension ?? 0)
      ) {
        throw this.unusable(seqId, id)
      }

      // A copy: the driver's buffer need not be aligned to four bytes.
      embeddings.set(id, new Float32Array(Uint8Array.from(vector).buffer))
    }
  }

  private unusable(seqId: number, id: string): Error {
    const {dimension, name} = this.collection
    return damaged(
      `Row ${seqId} of the log (collection ${name}, id ${JSON.stringify(id)}) has an embedding that is not ${dimension ?? 'any'} numbers of FLOAT32.`,
      {
        file: this.dir.databaseFile,
        next: 'Chroma cannot apply this row either; remove the record with Chroma.',
      },
    )
  }
}
