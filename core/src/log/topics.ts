import type {Catalog, Collection} from '../catalog/catalog.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'

/** One topic of the log (`embeddings_queue`), which Chroma's own tools call the WAL. */
export interface Topic {
  /** The collection it belongs to; absent for a topic that a deleted collection left behind. */
  collection: Collection | undefined
  /** Rows that both segments of the collection have applied: what `wal clean` may delete, but for the newest. */
  committed: number
  /** All rows. */
  count: number
  firstSeqId: number
  lastSeqId: number
  /** Rows the metadata segment has not applied yet. */
  pendingInMetadata: number
  /** Rows that are in the log only: the HNSW index has not applied them yet. */
  pendingInVector: number
  topic: string
}

type TopicRow = Omit<Topic, 'collection'>

/** How far the segments of a collection have applied the log. */
export interface Progress {
  metadata: number
  topic: string
  vector: number
}

/**
 * Counts the log by topic in one pass over the table, in the order of their first row.
 *
 * @param vectorMaxSeqId the newest row each VECTOR segment has applied, by collection id; it lies in SQLite from 0.5.7 and
 * in the index metadata before, so the caller knows it better than this module
 */
export async function readTopics(
  {db}: PersistDir,
  catalog: Catalog,
  vectorMaxSeqId: ReadonlyMap<string, number>,
): Promise<Topic[]> {
  const progress: Progress[] = catalog.collections.map((collection) => ({
    metadata: collection.metadataSegment?.maxSeqId ?? 0,
    topic: collection.topic,
    vector: vectorMaxSeqId.get(collection.id) ?? 0,
  }))
  const rows = await db.all<TopicRow>(
    // Without the CAST the topic has no affinity, and SQLite makes no index of it: every row would read all collections.
    `WITH progress AS MATERIALIZED (
       SELECT CAST(json_extract(value, '$.topic') AS TEXT) AS topic, json_extract(value, '$.metadata') AS metadata,
              json_extract(value, '$.vector') AS vector
       FROM json_each(?))
     SELECT q.topic AS topic, COUNT(*) AS count, MIN(q.seq_id) AS firstSeqId, MAX(q.seq_id) AS lastSeqId,
            COUNT(*) FILTER (WHERE q.seq_id <= MIN(p.metadata, p.vector)) AS committed,
            COUNT(*) FILTER (WHERE q.seq_id > p.metadata) AS pendingInMetadata,
            COUNT(*) FILTER (WHERE q.seq_id > p.vector) AS pendingInVector
     FROM embeddings_queue q LEFT JOIN progress p ON p.topic = q.topic
     WHERE typeof(q.topic) = 'text'
     GROUP BY q.topic ORDER BY firstSeqId`,
    [JSON.stringify(progress)],
  )
  const byTopic = new Map(catalog.collections.map((collection) => [collection.topic, collection]))
  return rows.map((row) => ({...row, collection: byTopic.get(row.topic)}))
}
