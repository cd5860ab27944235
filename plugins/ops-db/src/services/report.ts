import {type Catalog, type Collection, hnswParametersOf, readCatalog} from '@chops/core/catalog'
import {ChopsError} from '@chops/core/errors'
import {appliedSeqId, readSegmentIndex, type SegmentIndex} from '@chops/core/hnsw'
import {type GraphReport, loadGraph, measureGraph} from '@chops/core/index-files'
import {readTopics, type Topic} from '@chops/core/log'
import {
  findOrphanFolders,
  generationText,
  type PersistDir,
  segmentFolder,
  sizeOf,
} from '@chops/core/persist-dir'
import {countRecords} from '@chops/core/record-counts'

import {type DatabaseSpace, measureSpace} from './space.js'

/** One collection of the report. Sizes are in bytes. */
export interface CollectionReport {
  /** Log rows that both segments have applied. */
  committed: number
  database: string
  /** Elements that are marked as deleted. */
  deleted: number
  dimension: null | number
  /** Null for an index without elements, or one that could not be read. */
  graph: GraphReport | null
  id: string
  indexBytes: number
  /** Elements that are not marked as deleted. */
  live: number
  name: string
  /** Log rows that are not in the index yet. */
  pending: number
  /** Why the index could not be read. */
  problem: null | string
  records: number
  space: string
  tenant: string
}

export interface DirectoryReport {
  chromaVersion: string
  collections: CollectionReport[]
  database: DatabaseSpace
  orphans: {bytes: number; folders: number}
  persistDirectory: string
}

export interface ReportOptions {
  /** Counts collections. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/**
 * Measures a directory for a report: what takes the space, what waits in the log, how fragmented and how well linked
 * each index is. A damaged index is part of the report, not the end of it. Memory: the links of one index.
 */
export async function describeDirectory(
  dir: PersistDir,
  options: ReportOptions = {},
): Promise<DirectoryReport> {
  const catalog = await readCatalog(dir)
  const indexes = new Map<string, MeasuredIndex>()
  for (const [done, collection] of catalog.collections.entries()) {
    options.onProgress?.(done, catalog.collections.length)
    indexes.set(collection.id, await measureIndex(dir, collection, options.signal))
  }

  const topics = await readTopics(dir, catalog, appliedOf(catalog, indexes))
  const records = await countRecords(dir, catalog, topics)
  const orphans = await findOrphanFolders(
    dir.path,
    catalog.segments.map(({id}) => id),
  )
  return {
    chromaVersion: generationText(dir.generation),
    collections: catalog.collections.map((collection) => ({
      ...describe(
        dir,
        collection,
        indexes.get(collection.id),
        topics.find((topic) => topic.collection?.id === collection.id),
      ),
      records: records.get(collection.id) ?? 0,
    })),
    database: await measureSpace(dir),
    orphans: {
      bytes: orphans.reduce((sum, {size}) => sum + size.allocated, 0),
      folders: orphans.length,
    },
    persistDirectory: dir.path,
  }
}

interface MeasuredIndex {
  bytes: number
  graph: GraphReport | null
  index: SegmentIndex | undefined
  problem: null | string
}

async function measureIndex(
  dir: PersistDir,
  collection: Collection,
  signal: AbortSignal | undefined,
): Promise<MeasuredIndex> {
  const segment = collection.vectorSegment
  const bytes = segment ? (await sizeOf(segmentFolder(dir.path, segment.id))).allocated : 0
  const measured: MeasuredIndex = {bytes, graph: null, index: undefined, problem: null}
  try {
    measured.index = await readSegmentIndex(dir, collection, {signal})
    const {folder, header} = measured.index ?? {}
    if (folder !== undefined && header && header.curElementCount > 0) {
      measured.graph = await measureGraph(await loadGraph(folder, header, {signal}), {signal})
    }
  } catch (error) {
    if (!(error instanceof ChopsError && error.kind === 'damaged')) throw error
    measured.problem = error.message
  }

  return measured
}

function appliedOf({collections}: Catalog, indexes: Map<string, MeasuredIndex>): Map<string, number> {
  return new Map(
    collections.map((collection) => [
      collection.id,
      appliedSeqId(collection, indexes.get(collection.id)?.index?.metadata),
    ]),
  )
}

function describe(
  dir: PersistDir,
  collection: Collection,
  measured: MeasuredIndex | undefined,
  topic: Topic | undefined,
): Omit<CollectionReport, 'records'> {
  return {
    committed: topic?.committed ?? 0,
    database: collection.database,
    deleted: measured?.index?.deleted ?? 0,
    dimension: collection.dimension,
    graph: measured?.graph ?? null,
    id: collection.id,
    indexBytes: measured?.bytes ?? 0,
    live: measured?.index?.live ?? 0,
    name: collection.name,
    pending: topic?.pendingInVector ?? 0,
    problem: measured?.problem ?? null,
    space: hnswParametersOf(dir, collection).space,
    tenant: collection.tenant,
  }
}
