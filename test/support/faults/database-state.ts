import {createHash} from 'node:crypto'

import type {Database} from '../../../core/src/sqlite/database.js'

/** A row of `embeddings_queue`. */
export interface LogRow {
  /** Of all columns but the seq id. */
  digest: string
  id: string
  /** 0 add, 1 update, 2 upsert, 3 delete, 4 nothing. */
  operation: number
  topic: string
  vector: Float32Array | undefined
}

/** The log by seq id, in ascending order. */
export type Log = Map<number, LogRow>

/** What SQLite itself finds wrong, and rows that no segment owns. */
export async function databaseProblems(db: Database): Promise<string[]> {
  const problems: string[] = []
  const rows = await db.all<{integrity_check: string}>('PRAGMA integrity_check')
  const text = rows.map((row) => row.integrity_check).join(', ')
  if (text !== 'ok') problems.push(`SQLite's integrity check says ${text}`)
  try {
    // Older SQLite does not look into FTS5 by itself.
    await db.exec(
      "INSERT INTO embedding_fulltext_search(embedding_fulltext_search) VALUES ('integrity-check')",
    )
  } catch (error) {
    problems.push(
      `the full-text index is damaged (${error instanceof Error ? error.message : String(error)})`,
    )
  }

  for (const table of ['max_seq_id', 'segment_metadata']) {
    const dangling = await db.all(`SELECT 1 FROM ${table} WHERE segment_id NOT IN (SELECT id FROM segments)`)
    if (dangling.length > 0) problems.push(`${table} has ${dangling.length} rows of no segment`)
  }

  return problems
}

interface QueueRow {
  id: string
  operation: number
  rest: string
  seqId: number
  topic: string
  vector: null | Uint8Array
}

export async function readLog(db: Database): Promise<Log> {
  const rows = await db.all<QueueRow>(
    `SELECT seq_id AS seqId, topic, operation, id, vector,
            quote(created_at) || quote(encoding) || quote(metadata) AS rest
     FROM embeddings_queue ORDER BY seq_id`,
  )
  return new Map(
    rows.map(({id, operation, rest, seqId, topic, vector}) => {
      const hash = createHash('sha256').update(JSON.stringify([topic, operation, id, rest]))
      if (vector) hash.update(vector)
      return [
        seqId,
        {digest: hash.digest('hex'), id, operation, topic, vector: vector ? floats(vector) : undefined},
      ]
    }),
  )
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer)
}

/** Tables, or parts of them, that belong to the records and to the system, not to the log or to an index. */
const UNTOUCHED: Record<string, string> = {
  collections: 'SELECT id, name, dimension, database_id FROM collections',
  databases: 'SELECT * FROM databases',
  // Chroma 0.4 leaves the texts of deleted records behind, which a rebuild of the index does not bring back.
  documents: `SELECT rowid, * FROM embedding_fulltext_search
              WHERE rowid IN (SELECT id FROM embedding_metadata WHERE key = 'chroma:document')`,
  embeddings: 'SELECT * FROM embeddings',
  'how far the metadata segments are': `SELECT m.* FROM max_seq_id m JOIN segments s ON s.id = m.segment_id
                                        WHERE s.scope = 'METADATA'`,
  metadata: 'SELECT * FROM embedding_metadata',
  migrations: 'SELECT * FROM migrations',
  segments: `SELECT CASE scope WHEN 'VECTOR' THEN '' ELSE id END, type, scope, collection FROM segments`,
  tenants: 'SELECT * FROM tenants',
}

/** Digests of those rows, by what they are. */
export async function readUntouched(db: Database): Promise<Map<string, string>> {
  const queries = {...UNTOUCHED}
  const arrays = await db.get("SELECT 1 FROM sqlite_master WHERE name = 'embedding_metadata_array'")
  if (arrays) queries.arrays = 'SELECT * FROM embedding_metadata_array'
  const digests = new Map<string, string>()
  for (const [what, sql] of Object.entries(queries)) {
    const rows = await db.all(sql)
    const texts = rows.map((row) => JSON.stringify(Object.values(row), exact)).sort()
    digests.set(what, createHash('sha256').update(texts.join('\n')).digest('hex'))
  }

  return digests
}

/** The two drivers hand out bytes as different classes. */
function exact(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}
