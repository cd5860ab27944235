import {type Collection, hnswParametersOf, type Space} from '@chops/core/catalog'
import {fragmentationOf, readSegmentIndex, readSettled, type SegmentIndex} from '@chops/core/hnsw'
import type {GraphReport} from '@chops/core/index-files'
import {generationText, type PersistDir, segmentFolder, sizeOf} from '@chops/core/persist-dir'

/** The 18 metrics of an index, under the names the Python tool gave them. Sizes are in bytes. */
export interface HnswInfo {
  batchSize: number
  chromaVersion: string
  collection: string
  collectionId: string
  database: string
  dimensions: null | number
  efConstruction: number
  efSearch: number
  /** Percentage of the elements that are marked as deleted, exact. */
  fragmentationLevel: number
  /** Only with `verbose`, and only where the index has elements. */
  graph: GraphReport | null
  /** Whether `index_metadata.pickle` exists: the index was persisted at least once. */
  hasMetadata: boolean
  indexAllocated: number
  indexSize: number
  m: number
  /** Elements the files have room for. */
  maxElements: number
  /** Ids that own an element. */
  numberOfElements: number
  numberOfThreads: number
  path: null | string
  resizeFactor: number
  segmentId: null | string
  space: Space
  syncThreshold: number
  tenant: string
  /** The last label given out; deleted elements count. */
  totalElementsAdded: number
}

export interface HnswInfoOptions {
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
  /** Also walks the graph. */
  verbose?: boolean
}

/**
 * Describes the index of one collection: the parameters its engine uses, and what its files hold.
 *
 * @throws ChopsError `damaged` when an index file is damaged
 */
export async function describeIndex(
  dir: PersistDir,
  collection: Collection,
  options: HnswInfoOptions = {},
): Promise<HnswInfo> {
  const parameters = hnswParametersOf(dir, collection)
  const {graph, index} = await readIndex(dir, collection, options)
  const size = index ? await sizeOf(index.folder) : {allocated: 0, apparent: 0}
  return {
    batchSize: parameters.batchSize,
    chromaVersion: generationText(dir.generation),
    collection: collection.name,
    collectionId: collection.id,
    database: collection.database,
    dimensions: collection.dimension,
    efConstruction: parameters.constructionEf,
    efSearch: parameters.searchEf,
    fragmentationLevel: index ? fragmentationOf(index) : 0,
    graph,
    hasMetadata: index?.metadata !== undefined,
    indexAllocated: size.allocated,
    indexSize: size.apparent,
    m: parameters.m,
    maxElements: index?.header?.maxElements ?? 0,
    numberOfElements: index?.metadata?.labelCount ?? 0,
    numberOfThreads: parameters.numThreads,
    path: index?.folder ?? null,
    resizeFactor: parameters.resizeFactor,
    segmentId: collection.vectorSegment?.id ?? null,
    space: parameters.space,
    syncThreshold: parameters.syncThreshold,
    tenant: collection.tenant,
    totalElementsAdded: index?.metadata?.totalElementsAdded ?? 0,
  }
}

async function readIndex(
  dir: PersistDir,
  collection: Collection,
  options: HnswInfoOptions,
): Promise<{graph: GraphReport | null; index: SegmentIndex | undefined}> {
  const read = async () => {
    const index = await readSegmentIndex(dir, collection, options)
    return {graph: options.verbose ? await readGraph(index, options) : null, index}
  }

  const segment = collection.vectorSegment
  return segment ? readSettled(segmentFolder(dir.path, segment.id), read, options.signal) : read()
}

async function readGraph(
  index: SegmentIndex | undefined,
  options: HnswInfoOptions,
): Promise<GraphReport | null> {
  if (!index?.header || index.header.curElementCount === 0) return null
  const {loadGraph, measureGraph} = await import('@chops/core/index-files')
  return measureGraph(await loadGraph(index.folder, index.header, options), options)
}
