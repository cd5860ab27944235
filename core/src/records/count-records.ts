import type {Catalog, Collection} from '../catalog/catalog.js'
import type {Topic} from '../log/topics.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {OPERATION} from '../log/operation.js'
import {pendingRows} from './pending-rows.js'

/**
 * Counts the records of each collection as Chroma's own `count()` answers: the rows of the metadata segment, and what
 * the part of the log that it has not applied yet will add and delete (the Rust engines apply the log when they read).
 *
 * @returns records by collection id
 */
export async function countRecords(
  dir: PersistDir,
  catalog: Catalog,
  topics: Topic[],
): Promise<Map<string, number>> {
  const rows = await dir.db.all<{records: number; segment_id: string}>(
    'SELECT segment_id, COUNT(*) AS records FROM embeddings GROUP BY segment_id',
  )
  const applied = new Map(rows.map((row) => [row.segment_id, row.records]))
  const counts = new Map<string, number>()
  for (const collection of catalog.collections) {
    const waits = topics.some(
      (topic) => topic.collection?.id === collection.id && topic.pendingInMetadata > 0,
    )
    const records = applied.get(collection.metadataSegment?.id ?? '') ?? 0
    counts.set(collection.id, records + (waits ? await netOfPending(dir, collection) : 0))
  }

  return counts
}

/** Records of one collection, counted like `countRecords`. */
export async function countRecordsOf(dir: PersistDir, collection: Collection): Promise<number> {
  const row = await dir.db.get<{records: number}>(
    'SELECT COUNT(*) AS records FROM embeddings WHERE segment_id = ?',
    [collection.metadataSegment?.id ?? ''],
  )
  return (row?.records ?? 0) + (await netOfPending(dir, collection))
}

async function netOfPending(dir: PersistDir, collection: Collection): Promise<number> {
  const exists = new Map<string, boolean>()
  let net = 0
  for await (const page of pendingRows(dir, collection)) {
    for (const row of page) {
      const before = exists.get(row.id) ?? row.known === 1
      const now = existsAfter(row.operation, before)
      exists.set(row.id, now)
      net += Number(now) - Number(before)
    }
  }

  return net
}

function existsAfter(operation: number, before: boolean): boolean {
  if (operation === OPERATION.add || operation === OPERATION.upsert) return true
  return operation === OPERATION.delete ? false : before
}
