import {exists, type PersistDir, segmentFolder} from '@chops/core/persist-dir'
import {randomUUID} from 'node:crypto'

import type {SnapshotCollection} from '../format/contents.js'

export interface Identifiers {
  collectionId: string
  metadataId: string
  vectorId: string
}

/** The ids of the snapshot where the directory has nothing of that id, and new ones elsewhere. */
export async function chooseIdentifiers(
  dir: PersistDir,
  collection: SnapshotCollection,
): Promise<Identifiers> {
  return {
    collectionId: (await isCollectionTaken(dir, collection.id)) ? randomUUID() : collection.id,
    metadataId: (await isSegmentTaken(dir, collection.metadata.id)) ? randomUUID() : collection.metadata.id,
    vectorId: (await isSegmentTaken(dir, collection.vector.id)) ? randomUUID() : collection.vector.id,
  }
}

/** Log rows that a deleted collection left behind would be applied to a new one of the same id. */
async function isCollectionTaken({db}: PersistDir, id: string): Promise<boolean> {
  const row = await db.get(
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM collections WHERE id = ?)
       OR EXISTS (SELECT 1 FROM collection_metadata WHERE collection_id = ?)
       OR EXISTS (SELECT 1 FROM embeddings_queue WHERE substr(topic, -length(?)) = ?)`,
    [id, id, `/${id}`, `/${id}`],
  )
  return row !== undefined
}

async function isSegmentTaken(dir: PersistDir, id: string): Promise<boolean> {
  const tables = ['embeddings', 'max_seq_id', 'segment_metadata']
  const owned = tables.map((table) => `EXISTS (SELECT 1 FROM ${table} WHERE segment_id = ?)`)
  const row = await dir.db.get(
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM segments WHERE id = ?) OR ${owned.join(' OR ')}`,
    [id, ...tables.map(() => id)],
  )
  return row !== undefined || exists(segmentFolder(dir.path, id))
}
