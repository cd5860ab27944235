import {join} from 'node:path'

import type {PersistDir} from '../persist-dir/persist-dir.js'

import {type Collection, hnswParametersOf, type Segment} from '../catalog/catalog.js'
import {exists} from '../persist-dir/exists.js'
import {segmentFolder} from '../persist-dir/segment-folders.js'
import type {ScanOptions} from './files.js'
import {type HnswHeader, readHeader} from './header.js'
import {halfWritten, indexMissing} from './index-errors.js'
import {INDEX_METADATA_FILE, type IndexMetadataSummary, readIndexMetadata} from './index-metadata.js'
import {type Level0Chunk, level0Chunks} from './level0.js'
import {linkListProblems} from './link-lists.js'
import {assertNoProblem, problemError} from './problems.js'
import {readSettled} from './source-files.js'

/** The HNSW folder of a collection, counted exactly from its files and without loading the index. */
export interface SegmentIndex {
  deleted: number
  folder: string
  /** Absent when the folder or its files do not exist: nothing was ever written there. */
  header: HnswHeader | undefined
  /** Elements that are not marked as deleted. */
  live: number
  /** What `index_metadata.pickle` says; absent when the index was never persisted. */
  metadata: IndexMetadataSummary | undefined
  /** Live elements whose label no id owns. */
  orphanLabels: number
}

/**
 * Reads and checks the index files of a collection in a stream, each once.
 *
 * An index that was never persisted is healthy: Chroma makes the folder with its first write and fills it every
 * `sync_threshold` writes (user-visible records are in the log until then).
 *
 * @throws ChopsError `damaged` that names the file and what is wrong with it, `in-use` when Chroma keeps writing it
 */
export async function readSegmentIndex(
  dir: PersistDir,
  collection: Collection,
  options: ScanOptions = {},
): Promise<SegmentIndex | undefined> {
  const segment = collection.vectorSegment
  if (!segment) return undefined
  const folder = segmentFolder(dir.path, segment.id)
  return readSettled(folder, () => readFiles(dir, collection, {...options, folder, segment}), options.signal)
}

async function readFiles(
  dir: PersistDir,
  collection: Collection,
  {folder, segment, ...options}: ScanOptions & {folder: string; segment: Segment},
): Promise<SegmentIndex> {
  const metadataFile = join(folder, INDEX_METADATA_FILE)
  const hasMetadata = await exists(metadataFile)
  const hasHeader = await exists(join(folder, 'header.bin'))
  if (!hasMetadata && segment.maxSeqId !== undefined) throw indexMissing(folder, segment.maxSeqId)
  if (!hasMetadata && !hasHeader) {
    return {deleted: 0, folder, header: undefined, live: 0, metadata: undefined, orphanLabels: 0}
  }

  const metadata = hasMetadata ? await readIndexMetadata(metadataFile, {ids: false}) : undefined
  const cosine = hnswParametersOf(dir, collection).space === 'cosine'
  const header = await readHeader(folder, {cosine})
  if (!metadata && header.curElementCount > 0) throw halfWritten(folder)
  assertNoProblem(folder, await linkListProblems(folder, header, {signal: options.signal}))
  return {folder, header, metadata, ...(await countElements(folder, header, metadata, options))}
}

/**
 * One pass over `data_level0.bin`: marks, labels, and whether links stay inside the index, which noise does not survive.
 * The finer rules of links are for `loadGraph` and `checkIndexFiles`; they take as long as all the rest.
 */
async function countElements(
  folder: string,
  header: HnswHeader,
  metadata: IndexMetadataSummary | undefined,
  options: ScanOptions,
): Promise<Pick<SegmentIndex, 'deleted' | 'live' | 'orphanLabels'>> {
  let deleted = 0
  let orphanLabels = 0
  for await (const chunk of level0Chunks(folder, header, options)) {
    for (let row = 0; row < chunk.count; row++) {
      if (!linksStayInside(chunk, row, header)) throw linksLeadOut(folder, chunk.firstId + row, header)
      if (chunk.isDeleted(row)) deleted += 1
      else if (!metadata?.labels.has(chunk.label(row))) orphanLabels += 1
    }
  }

  return {deleted, live: header.curElementCount - deleted, orphanLabels}
}

function linksStayInside(chunk: Level0Chunk, row: number, {curElementCount, maxM0}: HnswHeader): boolean {
  const count = chunk.linkCount(row)
  if (count > maxM0) return false
  const {words} = chunk
  const from = chunk.linksAt(row)
  for (let i = from; i < from + count; i++) {
    if ((words[i] as number) >= curElementCount) return false
  }

  return true
}

function linksLeadOut(folder: string, id: number, {curElementCount}: HnswHeader): Error {
  const what = `has links of element ${id} that lead out of its ${curElementCount} elements`
  return problemError(folder, {file: 'data_level0.bin', id: 'H10', what})
}

/** The newest log row the index has applied: in SQLite from 0.5.7, in the index metadata before. */
export function appliedSeqId(
  {vectorSegment}: Pick<Collection, 'vectorSegment'>,
  metadata?: Pick<IndexMetadataSummary, 'maxSeqId'>,
): number {
  return vectorSegment?.maxSeqId ?? metadata?.maxSeqId ?? 0
}

/** `readAppliedSeqId` of every collection, by id. */
export async function readAppliedSeqIds(
  dir: PersistDir,
  collections: Collection[],
): Promise<Map<string, number>> {
  const applied = new Map<string, number>()
  for (const collection of collections) applied.set(collection.id, await readAppliedSeqId(dir, collection))
  return applied
}

/** `appliedSeqId` of one collection, reading index metadata only where SQLite does not say. */
export async function readAppliedSeqId(dir: PersistDir, collection: Collection): Promise<number> {
  const segment = collection.vectorSegment
  const file = segment && join(segmentFolder(dir.path, segment.id), INDEX_METADATA_FILE)
  const inFile = file !== undefined && segment?.maxSeqId === undefined && (await exists(file))
  return appliedSeqId(collection, inFile ? await readIndexMetadata(file, {ids: false}) : undefined)
}

/** Percentage (0 to 100) of the index's elements that are marked as deleted and still cost memory and time. */
export function fragmentationOf(index: Pick<SegmentIndex, 'deleted' | 'live'>): number {
  const elements = index.deleted + index.live
  return elements === 0 ? 0 : (100 * index.deleted) / elements
}
