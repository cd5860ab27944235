import type {Catalog} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

import {readLogEnd} from './log-rows.js'
import {readTopics, type Topic} from './topics.js'

/**
 * Why rows of a topic stay: `ahead` a segment claims to have applied more than the log has ever held, `foreign` the
 * collection exists but this is not its topic, `newest` the row that keeps the numbering, `pending` or
 * `pending-metadata` the index or the metadata segment has not applied them, `skipped` on request.
 */
export type KeepReason = 'ahead' | 'foreign' | 'newest' | 'pending' | 'pending-metadata' | 'skipped'

/** What can be deleted of one topic. */
export interface TopicCleaning {
  /** Rows. */
  deletable: number
  keepReasons: KeepReason[]
  /** No collection has the id that the topic ends in. */
  orphan: boolean
  topic: Topic
  /** The deletable rows are those up to this seq id; 0 for none. */
  upTo: number
}

/**
 * Says for each topic which rows no segment needs any more: those that both segments of the collection have applied, and
 * all of a collection that does not exist.
 *
 * The newest row of each topic stays in any case, as it does when an engine purges (`purge_log` in
 * `chromadb/db/mixins/embeddings_queue.py`, `purge_logs` in `rust/log/src/sqlite_log.rs`). Log rows are numbered from the
 * highest one there is, and segments ignore rows below what they have applied. One highest row for the whole log would
 * not do: every engine deletes the topic of a collection with the collection, and that row might be in it.
 *
 * @param vectorMaxSeqId as in `readTopics`
 * @param skip names of collections to leave alone, in every database
 */
export async function planCleaning(
  dir: PersistDir,
  catalog: Catalog,
  vectorMaxSeqId: ReadonlyMap<string, number>,
  skip: readonly string[],
): Promise<TopicCleaning[]> {
  const topics = await readTopics(dir, catalog, vectorMaxSeqId)
  const rows = await dir.db.all<{id: string}>(
    'SELECT CAST(id AS TEXT) AS id FROM collections WHERE id IS NOT NULL',
  )
  const collectionIds = new Set(rows.map(({id}) => id.toLowerCase()))
  const end = await readLogEnd(dir)
  return topics.map((topic) => {
    const {collection} = topic
    if (collection === undefined) {
      return collectionIds.has(collectionIdOf(topic)) ? kept(topic, ['foreign']) : orphan(topic, end)
    }

    if (skip.includes(collection.name)) return kept(topic, ['skipped'])
    const metadata = collection.metadataSegment?.maxSeqId ?? 0
    const vector = vectorMaxSeqId.get(collection.id) ?? 0
    // Not a number that a segment of this log can have reached: its rows may all be new.
    if (Math.max(metadata, vector) > end) return kept(topic, ['ahead'])
    return applied(topic, Math.min(metadata, vector))
  })
}

/**
 * Deletes what the plan says, in the caller's transaction.
 *
 * @throws Error when other rows would go than planned, or the highest one; the transaction then must not be committed
 */
export async function deletePlanned(dir: PersistDir, plan: readonly TopicCleaning[]): Promise<number> {
  const before = await readLogEnd(dir)
  const limits = plan
    .filter(({deletable}) => deletable > 0)
    .map(({topic, upTo}) => ({topic: topic.topic, upTo}))
  const {changes} = await dir.db.run(
    // The CAST lets SQLite make an index of the topics, as in readTopics.
    `WITH planned AS MATERIALIZED (
       SELECT CAST(json_extract(value, '$.topic') AS TEXT) AS topic, json_extract(value, '$.upTo') AS upTo
       FROM json_each(?))
     DELETE FROM embeddings_queue WHERE seq_id IN (
       SELECT q.seq_id FROM embeddings_queue q CROSS JOIN planned p ON p.topic = q.topic WHERE q.seq_id <= p.upTo)`,
    [JSON.stringify(limits)],
  )
  const after = await readLogEnd(dir)
  const planned = plan.reduce((sum, {deletable}) => sum + deletable, 0)
  if (changes !== planned || after !== before) {
    throw new Error(
      `${planned} log rows were to be deleted, not ${changes} from a log that ended at ${before} and ends at ${after}`,
    )
  }

  return changes
}

/** Chroma makes topics as `persistent://<tenant>/<namespace>/<collection id>`, of which the first two can be configured. */
function collectionIdOf({topic}: Topic): string {
  return topic.slice(topic.lastIndexOf('/') + 1).toLowerCase()
}

function applied(topic: Topic, appliedSeqId: number): TopicCleaning {
  const isNewestApplied = topic.lastSeqId <= appliedSeqId
  const keepReasons: KeepReason[] = []
  if (topic.pendingInVector > 0) keepReasons.push('pending')
  if (topic.pendingInMetadata > 0) keepReasons.push('pending-metadata')
  if (isNewestApplied) keepReasons.push('newest')
  return {
    deletable: isNewestApplied ? topic.committed - 1 : topic.committed,
    keepReasons,
    orphan: false,
    topic,
    upTo: isNewestApplied ? topic.lastSeqId - 1 : appliedSeqId,
  }
}

function kept(topic: Topic, keepReasons: KeepReason[]): TopicCleaning {
  return {deletable: 0, keepReasons, orphan: false, topic, upTo: 0}
}

/** No engine ever deletes these, so the highest row of the log is safe here when it is one of them. */
function orphan(topic: Topic, end: number): TopicCleaning {
  const hasHighest = topic.lastSeqId === end
  return {
    deletable: hasHighest ? topic.count - 1 : topic.count,
    keepReasons: hasHighest ? ['newest'] : [],
    orphan: true,
    topic,
    upTo: end - 1,
  }
}
