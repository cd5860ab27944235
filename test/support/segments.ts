import {existsSync} from 'node:fs'
import {join} from 'node:path'

import type {Space} from '../../core/src/catalog/hnsw-parameters.js'
import type {IndexMetadata} from '../../core/src/hnsw/index-metadata.js'
import type {SqlValue} from '../../core/src/sqlite/database.js'

import {type Collection, readCatalog} from '../../core/src/catalog/catalog.js'
import {type HnswHeader, readHeader} from '../../core/src/hnsw/header.js'
import {readIndexMetadata} from '../../core/src/hnsw/index-metadata.js'
import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {transaction} from '../../core/src/sqlite/database.js'
import {overwrite} from './damage.js'
import {withDatabase} from './sql.js'
import {countElements, readElements} from './elements.js'

/** A collection with the folder of its vector segment. */
export interface Located extends Collection {
  folder: string
  segmentId: string
}

/** The collection of this name and tenant as the database has it now. */
export async function locate(persistDir: string, name: string, tenant = 'default_tenant'): Promise<Located> {
  const dir = await openPersistDir(persistDir)
  try {
    const {collections} = await readCatalog(dir)
    const found = collections.find((collection) => collection.name === name && collection.tenant === tenant)
    const segmentId = found?.vectorSegment?.id
    if (!found || segmentId === undefined) throw new Error(`no collection ${name} of ${tenant}`)
    return {...found, folder: join(persistDir, segmentId), segmentId}
  } finally {
    await dir.close()
  }
}

/** A stored vector, to the byte, and in a cosine index the norm it was divided by. */
export interface StoredVector {
  norm: number | undefined
  vector: Float32Array
}

/** What the five files of a segment folder hold. */
export interface StoredIndex {
  deleted: number
  header: HnswHeader
  metadata: IndexMetadata
  /** By id. */
  vectors: Map<string, StoredVector>
}

export async function readStoredIndex(folder: string, space: Space): Promise<StoredIndex> {
  const header = await readHeader(folder)
  const metadata = await readIndexMetadata(join(folder, 'index_metadata.pickle'), {ids: true})
  const {dimension, labels, norms, vectors} = await readElements(folder, header, space)
  const positions = new Map(Array.from(labels, (label, position) => [label, position]))
  const byId = new Map<string, StoredVector>()
  for (const [id, label] of metadata.idToLabel) {
    const at = positions.get(label)
    if (at === undefined) throw new Error(`${folder} has no live element for the id ${id}`)
    byId.set(id, {norm: norms?.[at], vector: vectors.slice(at * dimension, (at + 1) * dimension)})
  }

  const {deleted} = await countElements(folder, header)
  return {deleted, header, metadata, vectors: byId}
}

/** The embedding that Chroma gives back for a stored vector. */
export function embeddingOf({norm, vector}: StoredVector): Float32Array {
  return norm === undefined ? vector : vector.map((value) => value * norm)
}

/** The largest difference between an embedding and the wanted one, as a part of the wanted one's norm. */
export function deviation(found: Float32Array | undefined, wanted: Float32Array): number {
  if (found?.length !== wanted.length) return Infinity
  const largest = wanted.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? Infinity))),
    0,
  )
  return largest / Math.hypot(...wanted)
}

/** An embedding of a fixture's `expected.json`. */
export function decodeEmbedding(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer)
}

/** Marks an element as deleted, whatever the id map says, so that the vector of its id is lost. */
export async function markDeleted(folder: string, internalId: number): Promise<void> {
  const {sizeDataPerElement} = await readHeader(folder)
  overwrite(join(folder, 'data_level0.bin'), internalId * sizeDataPerElement + 2, Uint8Array.of(1))
}

export interface NewLogRow {
  encoding?: null | string
  id: string
  /** The stored text: JSON, the document in it under `chroma:document`. */
  metadata?: null | string
  /** 0 add, 1 update, 2 upsert, 3 delete, 4 nothing. */
  operation: number
  vector?: Float32Array | Uint8Array | null
}

/** Appends rows to the log, as an engine does that has not yet applied them, and returns their seq ids. */
export async function appendLog(persistDir: string, topic: string, rows: NewLogRow[]): Promise<number[]> {
  return withDatabase(persistDir, (db) =>
    transaction(db, 'IMMEDIATE', async () => {
      const seqIds: number[] = []
      for (const {encoding = 'FLOAT32', id, metadata = null, operation, vector = null} of rows) {
        const bytes = vector && new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
        await db.run(
          'INSERT INTO embeddings_queue (operation, topic, id, vector, encoding, metadata) VALUES (?, ?, ?, ?, ?, ?)',
          [operation, topic, id, bytes, bytes && encoding, metadata],
        )
        const last = await db.get<{seqId: number}>('SELECT MAX(seq_id) AS seqId FROM embeddings_queue')
        seqIds.push(last?.seqId ?? 0)
      }

      return seqIds
    }),
  )
}

/** Appends `count` adds of vectors that repeat from run to run, in one statement. */
export async function appendManyAdds(
  persistDir: string,
  topic: string,
  count: number,
  dimension: number,
): Promise<void> {
  let state = 7
  const floats = Float32Array.from({length: count * dimension}, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  })
  const row = 4 * dimension
  const params: SqlValue[] = [count, topic, row, row, new Uint8Array(floats.buffer)]
  await withDatabase(persistDir, (db) =>
    db.run(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ?), p(topic, row, length, vectors) AS (VALUES (?, ?, ?, ?))
       INSERT INTO embeddings_queue (operation, topic, id, vector, encoding)
       SELECT 0, topic, 'many-' || i, substr(vectors, i * row + 1, length), 'FLOAT32' FROM n, p`,
      params,
    ),
  )
}

/** Whether the kernel tells which files other processes have open. */
export function hasProcessFiles(): boolean {
  return existsSync('/proc/self/fd')
}

/**
 * For tests that use the built packages: their child processes need no TypeScript loader, which takes longer to start
 * than a small index to build.
 */
export function withoutLoaderInChildren(): void {
  const inherited = process.execArgv
  before(() => {
    process.execArgv = []
  })
  after(() => {
    process.execArgv = inherited
  })
}
