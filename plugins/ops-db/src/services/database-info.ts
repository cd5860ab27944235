import {type Catalog, type Collection, type Metadata, readCatalog, unknownNames} from '@chops/core/catalog'
import {appliedSeqId, fragmentationOf, readSegmentIndex, type SegmentIndex} from '@chops/core/hnsw'
import {readTopics, type Topic} from '@chops/core/log'
import {findOrphanFolders, generationText, type PersistDir, sizeOf} from '@chops/core/persist-dir'
import {countRecords} from '@chops/core/record-counts'

/** What a folder without an owner still takes on the disk. Sizes are in bytes. */
export interface OrphanDirectory {
  allocated: number
  id: string
  path: string
  size: number
}

export interface MetadataSegmentInfo {
  scope: string
  segmentId: string
  sysdbMaxSeqId: number
  type: string
}

export interface HnswSegmentInfo {
  /** Percentage of the elements that are marked as deleted, exact. */
  fragmentationLevel: number
  hnswDirAllocated: number
  hnswDirSize: number
  hnswMetadataMaxSeqId: number
  hnswMetadataTotalLabels: number
  /** Live elements whose label no id owns. */
  hnswOrphanLabels: number
  /** Elements in the index, deleted ones included. */
  hnswRawAllocatedLabels: number
  /** Elements that are not marked as deleted. */
  hnswRawTotalActiveLabels: number
  path: string
  scope: string
  segmentId: string
  sysdbMaxSeqId: number
  type: string
  /** Log rows that are not in the index yet. */
  walGap: number
}

export interface CollectionInfo {
  database: string
  dimension: null | number
  hnswSegment: HnswSegmentInfo | null
  id: string
  metadata: Metadata | null
  metadataSegment: MetadataSegmentInfo | null
  name: string
  records: number
  tenant: string
  walEntries: number
}

export interface DatabaseInfo {
  chromaVersion: string
  collections: CollectionInfo[]
  numberOfCollections: number
  orphanHnswDirectories: OrphanDirectory[]
  persistDirectory: string
  persistDirectoryAllocated: number
  persistDirectorySize: number
  systemDb: string
  systemDbSize: number
}

/** What could be found out, and what the user should know beside it. */
export interface DatabaseDescription {
  /** Collections whose index cannot be read, and why: nothing of them is in `info` but that they are counted. */
  failures: {collection: Collection; error: unknown}[]
  /** How many collections were not skipped. */
  included: number
  info: DatabaseInfo
  /** Names to skip that no collection has. */
  unknownSkips: string[]
}

export interface DatabaseInfoOptions {
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
  /** Names of collections to leave out, in every database. */
  skip?: readonly string[]
}

/** Indexes read side by side; each takes a few MB of buffers. */
const AT_A_TIME = 4

/**
 * Describes a persist directory and its collections, over all tenants and databases. Reads each index file once. An index
 * that cannot be read is a failure of its collection alone.
 */
export async function describeDatabase(
  dir: PersistDir,
  options: DatabaseInfoOptions = {},
): Promise<DatabaseDescription> {
  const catalog = await readCatalog(dir)
  const {skip = []} = options
  const included = catalog.collections.filter(({name}) => !skip.includes(name))
  const {failures, indexes} = await readIndexes(dir, included, options)
  options.signal?.throwIfAborted()
  const topics = await readTopics(dir, catalog, appliedOf(catalog, indexes))
  const records = await countRecords(dir, catalog, topics)
  options.signal?.throwIfAborted()
  const readable = included.filter(({id}) => !failures.has(id))
  const collections = await Promise.all(
    readable.map(async (collection): Promise<CollectionInfo> => {
      const topic = topics.find((candidate) => candidate.collection?.id === collection.id)
      return {
        database: collection.database,
        dimension: collection.dimension,
        hnswSegment: await describeHnswSegment(collection, indexes.get(collection.id), topic),
        id: collection.id,
        metadata: collection.metadata,
        metadataSegment: describeMetadataSegment(collection),
        name: collection.name,
        records: records.get(collection.id) ?? 0,
        tenant: collection.tenant,
        walEntries: topic?.count ?? 0,
      }
    }),
  )
  const ownedIds = catalog.segments.map((segment) => segment.id)
  const orphans = await findOrphanFolders(dir.path, ownedIds)
  const size = await sizeOf(dir.path)
  const databaseSize = await sizeOf(dir.databaseFile)
  const info: DatabaseInfo = {
    chromaVersion: generationText(dir.generation),
    collections,
    numberOfCollections: catalog.collections.length,
    orphanHnswDirectories: orphans.map(({id, path, size: {allocated, apparent}}) => ({
      allocated,
      id,
      path,
      size: apparent,
    })),
    persistDirectory: dir.path,
    persistDirectoryAllocated: size.allocated,
    persistDirectorySize: size.apparent,
    systemDb: dir.databaseFile,
    systemDbSize: databaseSize.apparent,
  }
  return {
    failures: included
      .filter(({id}) => failures.has(id))
      .map((collection) => ({collection, error: failures.get(collection.id)})),
    included: included.length,
    info,
    unknownSkips: unknownNames(catalog, skip),
  }
}

/** Some at a time: a small index is mostly waiting for the file system. */
async function readIndexes(
  dir: PersistDir,
  collections: Collection[],
  {onProgress, signal}: DatabaseInfoOptions,
): Promise<{failures: Map<string, unknown>; indexes: Map<string, SegmentIndex>}> {
  const failures = new Map<string, unknown>()
  const indexes = new Map<string, SegmentIndex>()
  const shares = collections.map(() => 0)
  const report = (position: number, share: number): void => {
    shares[position] = share
    onProgress?.(
      shares.reduce((sum, one) => sum + one, 0),
      collections.length,
    )
  }

  const waiting = [...collections.entries()]
  const readNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [position, collection] = next
      try {
        const index = await readSegmentIndex(dir, collection, {
          onProgress: (done, total) => report(position, done / Math.max(total, 1)),
          signal,
        })
        if (index) indexes.set(collection.id, index)
      } catch (error) {
        failures.set(collection.id, error)
      }

      report(position, 1)
    }
  }

  await Promise.all(Array.from({length: AT_A_TIME}, readNext))
  return {failures, indexes}
}

/** Collections that were skipped are left out: their files are not read, not even to learn how far the index is. */
function appliedOf({collections}: Catalog, indexes: Map<string, SegmentIndex>): Map<string, number> {
  const read = collections.filter((collection) => indexes.has(collection.id))
  return new Map(
    read.map((collection) => [collection.id, appliedSeqId(collection, indexes.get(collection.id)?.metadata)]),
  )
}

function describeMetadataSegment({metadataSegment: segment}: Collection): MetadataSegmentInfo | null {
  if (!segment) return null
  return {
    scope: segment.scope,
    segmentId: segment.id,
    sysdbMaxSeqId: segment.maxSeqId ?? 0,
    type: segment.type,
  }
}

async function describeHnswSegment(
  collection: Collection,
  index: SegmentIndex | undefined,
  topic: Topic | undefined,
): Promise<HnswSegmentInfo | null> {
  const segment = collection.vectorSegment
  if (!segment || !index) return null
  const size = await sizeOf(index.folder)
  return {
    fragmentationLevel: fragmentationOf(index),
    hnswDirAllocated: size.allocated,
    hnswDirSize: size.apparent,
    hnswMetadataMaxSeqId: index.metadata ? (index.metadata.maxSeqId ?? segment.maxSeqId ?? 0) : 0,
    hnswMetadataTotalLabels: index.metadata?.labelCount ?? 0,
    hnswOrphanLabels: index.orphanLabels,
    hnswRawAllocatedLabels: index.deleted + index.live,
    hnswRawTotalActiveLabels: index.live,
    path: index.folder,
    scope: segment.scope,
    segmentId: segment.id,
    sysdbMaxSeqId: segment.maxSeqId ?? 0,
    type: segment.type,
    walGap: topic?.pendingInVector ?? 0,
  }
}
