import {type Collection, fullName, readCatalog} from '@chops/core/catalog'
import {ChopsError} from '@chops/core/errors'
import {appliedSeqId, INDEX_METADATA_FILE, readIndexMetadata, readSegmentIndex} from '@chops/core/hnsw'
import {OPERATION} from '@chops/core/log'
import {keysetPages} from '@chops/core/sqlite'
import type {PersistDir} from '@chops/core/persist-dir'
import {join} from 'node:path'

/** Records of a collection that have no vector any more, as far as can be seen. */
export interface LostVectors {
  /** Tenant, database and name. */
  collection: string
  ids: string[]
}

interface LogRow {
  hasVector: number
  id: string
  operation: number
  seq_id: number
}

const PAGE = 10_000

/**
 * The records whose vector is neither in the index of their collection nor in the part of the log that waits for it. An
 * index that is missing, damaged or at odds with its own id map counts as empty, since it may well have lost them.
 *
 * Memory: the ids of one collection.
 */
export async function findLostVectors(dir: PersistDir, signal?: AbortSignal): Promise<LostVectors[]> {
  const {collections} = await readCatalog(dir)
  const lost: LostVectors[] = []
  for (const collection of collections) {
    signal?.throwIfAborted()
    const known = await idsWithVector(dir, collection, signal)
    const ids: string[] = []
    for await (const page of recordPages(dir, collection)) {
      for (const {embeddingId} of page) if (!known.has(embeddingId)) ids.push(embeddingId)
    }

    if (ids.length > 0) lost.push({collection: fullName(collection), ids})
  }

  return lost
}

async function idsWithVector(
  dir: PersistDir,
  collection: Collection,
  signal: AbortSignal | undefined,
): Promise<Set<string>> {
  const {applied, ids} = await indexedIds(dir, collection, signal)
  const pages = keysetPages<LogRow>(dir.db, {
    after: applied,
    columns: 'seq_id, operation, id, vector IS NOT NULL AS hasVector',
    from: 'embeddings_queue',
    key: 'seq_id',
    pageSize: PAGE,
    params: [collection.topic],
    where: 'topic = ?',
  })
  for await (const page of pages) {
    for (const {hasVector, id, operation} of page) {
      if (operation === OPERATION.delete) ids.delete(id)
      else if (hasVector && (operation === OPERATION.add || operation === OPERATION.upsert)) ids.add(id)
    }
  }

  return ids
}

async function indexedIds(
  dir: PersistDir,
  collection: Collection,
  signal: AbortSignal | undefined,
): Promise<{applied: number; ids: Set<string>}> {
  try {
    const index = await readSegmentIndex(dir, collection, {signal})
    const applied = appliedSeqId(collection, index?.metadata)
    if (!index?.metadata || index.metadata.labelCount !== index.live - index.orphanLabels) {
      return {applied, ids: new Set()}
    }

    const file = join(index.folder, INDEX_METADATA_FILE)
    const {idToLabel} = await readIndexMetadata(file, {ids: true})
    return {applied, ids: new Set(idToLabel.keys())}
  } catch (error) {
    if (!(error instanceof ChopsError) && typeof (error as NodeJS.ErrnoException).code !== 'string')
      throw error
    return {applied: collection.vectorSegment?.maxSeqId ?? 0, ids: new Set()}
  }
}

function recordPages(
  dir: PersistDir,
  {metadataSegment}: Collection,
): AsyncGenerator<{embeddingId: string; id: number}[]> {
  return keysetPages(dir.db, {
    columns: 'id, embedding_id AS embeddingId',
    from: 'embeddings',
    key: 'id',
    pageSize: PAGE,
    params: [metadataSegment?.id ?? ''],
    // The plus keeps SQLite from the index of segment ids, with which it would sort all rows for every page.
    where: '+segment_id = ?',
  })
}
