import {join} from 'node:path'

import type {Collection} from '../catalog/catalog.js'
import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../hnsw/files.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {hnswParametersOf, vectorSegmentOf} from '../catalog/catalog.js'
import {damaged} from '../errors.js'
import {readLabelled, type StoredElements} from '../hnsw/build/elements.js'
import type {HnswHeader} from '../hnsw/header.js'
import {fromBackup, indexMissing, requireDimension} from '../hnsw/index-errors.js'
import {
  INDEX_METADATA_FILE,
  type IndexMetadata,
  lastLabel,
  readIndexMetadata,
} from '../hnsw/index-metadata.js'
import type {RowPass} from '../hnsw/live-vectors.js'
import {appliedSeqId} from '../hnsw/segment-index.js'
import {readUsableHeader} from '../hnsw/usable-header.js'
import {type PendingLog, readPendingLog} from '../log/pending.js'
import {exists} from '../persist-dir/exists.js'
import {segmentFolder} from '../persist-dir/segment-folders.js'
import {countRecordsOf} from '../records/count-records.js'
import {idsOf, nameIds} from './name-ids.js'

/** Everything a new index of a collection is made from, without its vectors. */
export interface IndexSource {
  collection: Collection
  dimension: number
  folder: string
  /** Absent when the index was never persisted: all of the collection is in the log. */
  header: HnswHeader | undefined
  metadata: IndexMetadata | undefined
  parameters: HnswParameters
  pending: PendingLog
}

/**
 * Reads what a new index is to hold: the id map and the pending log. Whatever is wrong with the links (a broken
 * `link_lists.bin`, an entry point out of range) does not matter here: a new graph is made from the vectors.
 *
 * @returns undefined for a collection that never had a vector
 * @throws ChopsError `damaged` when the vectors or the ids cannot be read, or a row of the log cannot be applied
 */
export async function readIndexSource(
  dir: PersistDir,
  collection: Collection,
  options: ScanOptions = {},
): Promise<IndexSource | undefined> {
  const segment = vectorSegmentOf(dir, collection)
  const folder = segmentFolder(dir.path, segment.id)
  const file = join(folder, INDEX_METADATA_FILE)
  const isPersisted = await exists(file)
  if (!isPersisted && segment.maxSeqId !== undefined) throw indexMissing(folder, segment.maxSeqId)

  const metadata = isPersisted
    ? await readIndexMetadata(file, {ids: true, signal: options.signal})
    : undefined
  if (metadata) requireOwnLabels(file, metadata)
  const parameters = hnswParametersOf(dir, collection)
  const header = metadata && (await readUsableHeader(folder, {cosine: parameters.space === 'cosine'}))
  const applied = appliedSeqId(collection, metadata)
  const ids = metadata
    ? {...metadata, totalElementsAdded: lastLabel(metadata)}
    : {idToLabel: new Map(), idToSeqId: new Map(), totalElementsAdded: 0}
  const pending = await readPendingLog(dir, collection, applied, ids, options.signal)
  if (!isPersisted) await requireWholeLog(dir, collection, pending, file)
  const dimension = header?.dimension ?? collection.dimension
  if (dimension === null || (!header && pending.rows === 0)) return undefined
  if (header) requireDimension(folder, header, collection.dimension)
  return {
    collection,
    dimension,
    folder,
    header,
    metadata,
    parameters,
    pending,
  }
}

/**
 * The vectors of the old index that an id owns, in the order of their labels' first appearance, with room for so many
 * more behind them in the same memory.
 *
 * @throws ChopsError `damaged` when the vector of an id is not in the index: it would be lost without a word
 */
export async function readOwnedElements(
  source: IndexSource,
  {room, ...options}: ScanOptions & {pass?: RowPass | undefined; room: number},
): Promise<StoredElements> {
  const {dimension, folder, header, metadata, parameters} = source
  if (!header || !metadata) return emptyElements(dimension, parameters.space === 'cosine')
  const labels = metadata.idToLabel.values()
  const {missing, ...elements} = await readLabelled(folder, header, {
    ...options,
    labels,
    room,
    space: parameters.space,
  })
  if (missing.size > 0) throw vectorsMissing(source, missing)
  return elements
}

function emptyElements(dimension: number, isCosine: boolean): StoredElements {
  return {
    dimension,
    internalIds: new Uint32Array(),
    labels: [],
    norms: isCosine ? new Float32Array() : undefined,
    vectors: new Float32Array(),
  }
}

/** The error for labels of ids that no live element has. */
export function vectorsMissing({folder, metadata}: IndexSource, labels: Set<number>): Error {
  const ids = idsOf(labels, metadata?.idToLabel ?? new Map<string, number>())
  return damaged(
    `${join(folder, 'data_level0.bin')} lacks the vectors of ${ids.length} ids of the collection (${nameIds(ids)}).`,
    {
      file: join(folder, 'data_level0.bin'),
      next: `${fromBackup(folder)}, or write these records again with Chroma.`,
    },
  )
}

/** Two ids with one label have one vector between them, and that of the other would be lost. */
function requireOwnLabels(file: string, {idToLabel, labels}: IndexMetadata): void {
  if (labels.size === idToLabel.size) return
  const owners = new Map<number, string>()
  const shared = new Set<string>()
  for (const [id, label] of idToLabel) {
    const owner = owners.get(label)
    if (owner === undefined) owners.set(label, id)
    else shared.add(owner).add(id)
  }

  throw damaged(
    `${file} gives ${shared.size} ids a label that another one has (${nameIds([...shared])}): which vector is whose cannot be told.`,
    {
      file,
      next: 'Put the folder back from a backup, or delete these records with Chroma and add them again.',
    },
  )
}

/** Without an id map the index counts as never persisted; then every record has to be in the log. */
async function requireWholeLog(
  dir: PersistDir,
  collection: Collection,
  {ids}: PendingLog,
  file: string,
): Promise<void> {
  const missing = (await countRecordsOf(dir, collection)) - ids.idToLabel.size
  if (missing <= 0) return
  throw damaged(
    `${file} is missing, and the log lacks the vectors of ${missing} records of collection ${collection.name}.`,
    {
      file,
      next: 'Put the folder back from a backup: vectors that left the log exist nowhere else.',
    },
  )
}
