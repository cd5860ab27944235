import {join} from 'node:path'

import type {Collection} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {hnswParametersOf, vectorSegmentOf} from '../catalog/catalog.js'
import {damaged} from '../errors.js'
import {INDEX_METADATA_FILE} from '../hnsw/index-metadata.js'
import {readAppliedSeqId} from '../hnsw/segment-index.js'
import {readUsableHeader} from '../hnsw/usable-header.js'
import {formatBytes} from '../output/format.js'
import {exists} from '../persist-dir/exists.js'
import {segmentFolder} from '../persist-dir/segment-folders.js'

/** What making a new index takes, in bytes, beside what chops itself takes; upper estimates from measured runs. */
export interface MemoryNeed {
  /** To add the waiting part of the log to the index there is. */
  extend: number
  /** To build an index of all elements. */
  full: number
}

/** The process of the build library, and garbage. */
const FIXED = 100e6

/** Ids, labels and where each element lies, in several maps. */
const PER_ELEMENT = 1000

/** A vector of the log is read, decoded, and put among those of the index. */
const COPIES_OF_LOG = 5

/** What a list of links has beside its links, and an element beside its vector and its links. */
const PER_LIST = 4
const PER_ROW = 16

/**
 * Estimates what a new index of a collection takes before anything is read into memory.
 *
 * @param known `applied`, how far the index has applied the log, where the caller has read it already; `m` of the new
 * index, where it is not that of the old one
 * @throws ChopsError `damaged` when the header cannot be read
 */
export async function estimateMemory(
  dir: PersistDir,
  collection: Collection,
  known: {applied?: number | undefined; m?: number | undefined} = {},
): Promise<MemoryNeed> {
  const {m: today, space} = hnswParametersOf(dir, collection)
  const folder = segmentFolder(dir.path, vectorSegmentOf(dir, collection).id)
  const header = (await exists(join(folder, INDEX_METADATA_FILE)))
    ? await readUsableHeader(folder, {cosine: space === 'cosine'})
    : undefined
  const applied = known.applied ?? (await readAppliedSeqId(dir, collection))
  const log = await waitingVectors(dir, collection, applied)
  const dimension = header?.dimension ?? collection.dimension ?? 0
  const elements = (header?.curElementCount ?? 0) + log.rows
  const vectors = 4 * dimension * elements
  const graph = elements * (8 * Math.max(known.m ?? today, header?.M ?? 0) + PER_LIST + PER_ROW)
  const all = FIXED + elements * PER_ELEMENT + COPIES_OF_LOG * log.bytes
  // The vectors lie in chops and in the library, whose graph is read back beside them.
  return {extend: all + vectors + 2 * graph, full: all + 2 * vectors + 2 * graph}
}

async function waitingVectors(
  {db}: PersistDir,
  {topic}: Collection,
  applied: number,
): Promise<{bytes: number; rows: number}> {
  const row = await db.get<{bytes: number; rows: number}>(
    `SELECT count(*) AS rows, coalesce(sum(length(vector)), 0) AS bytes FROM embeddings_queue
     WHERE topic = ? AND seq_id > ?`,
    [topic, applied],
  )
  return row ?? {bytes: 0, rows: 0}
}

/**
 * Refuses work that this machine would end by killing the process.
 *
 * @param max what chops may take in all, in bytes; without it what is free
 * @throws ChopsError `damaged` that says what is needed and what there is
 */
export function requireMemory(bytes: number, max?: number): void {
  const free = max === undefined ? process.availableMemory() : max - process.memoryUsage.rss()
  if (bytes <= free) return
  const limit =
    max === undefined
      ? `${formatBytes(free)} is free`
      : `--max-memory leaves ${formatBytes(Math.max(0, free))}`
  throw damaged(`The new index needs up to ${formatBytes(bytes)} of memory, and ${limit}.`, {
    next: 'Free some memory, use a larger machine, or allow more with --max-memory; nothing was changed.',
  })
}
