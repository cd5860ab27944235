import type {PersistDir} from '../persist-dir/persist-dir.js'

/** As Chroma's settings `tenant_id` and `topic_namespace` are when nobody sets them. */
const DEFAULT_PREFIX = 'persistent://default/default/'

const TOPIC = /^(persistent:\/\/.+\/)[^/]+$/

/**
 * What the engine of a directory puts before a collection's id to name its topic in the log (`create_topic_name` in
 * `chromadb/ingest/impl/utils.py`). The Python engines take it from their settings, which nothing keeps: it is that of the
 * newest row. The Rust engines know no other than the default one.
 */
export async function readTopicPrefix({
  db,
  generation,
}: Pick<PersistDir, 'db' | 'generation'>): Promise<string> {
  if (generation.engine === 'rust') return DEFAULT_PREFIX
  const row = await db.get<{topic: null | string}>(
    'SELECT CAST(topic AS TEXT) AS topic FROM embeddings_queue ORDER BY seq_id DESC LIMIT 1',
  )
  return TOPIC.exec(row?.topic ?? '')?.[1] ?? DEFAULT_PREFIX
}
