import {copyFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Database} from '../../core/src/sqlite/database.js'

import {transaction} from '../../core/src/sqlite/database.js'
import {unpackFixture} from '../../test/support/fixtures.js'
import {withDatabase} from '../../test/support/sql.js'
import type {Shape} from './index-files.js'
import {Random, uuids} from './random.js'
import {documents} from './words.js'

/** The one collection of the generated directories. */
export const COLLECTION = 'bench'

const [COLLECTION_ID = '', VECTOR_SEGMENT_ID = '', METADATA_SEGMENT_ID = ''] = uuids(2, 3)
export {VECTOR_SEGMENT_ID}

const TOPIC = `persistent://default/default/${COLLECTION_ID}`
const CREATED = '2026-01-01 00:00:00'
const ROWS_PER_INSERT = 5000

const OWNED_BY_COLLECTIONS = [
  'collection_metadata',
  'segments',
  'segment_metadata',
  'embeddings',
  'embedding_metadata',
  'embedding_metadata_array',
  'embedding_fulltext_search',
  'max_seq_id',
  'embeddings_queue',
]

/** The database of a directory of Chroma 1.5 whose only collection holds `ids`, all applied by both segments. */
export async function writeDatabase(persistDir: string, shape: Shape, ids: Iterable<string>): Promise<void> {
  const fixture = unpackFixture('chroma-1.5.9')
  await copyFile(join(fixture.persistDir, 'chroma.sqlite3'), join(persistDir, 'chroma.sqlite3'))
  await change(persistDir, async (db) => {
    await replaceCollections(db, shape)
    let seqId = 1
    for (const batch of batches(ids)) {
      await db.run(
        `INSERT INTO embeddings (segment_id, embedding_id, seq_id, created_at)
         SELECT ?, value, ? + key, ? FROM json_each(?)`,
        [METADATA_SEGMENT_ID, seqId, CREATED, JSON.stringify(batch)],
      )
      seqId += batch.length
    }

    // Chroma always leaves the newest row in the log.
    await appendLogRows(db, {...shape, firstSeqId: shape.records}, uuids(3, 1))
  })
  await withDatabase(persistDir, (db) => db.exec('VACUUM'))
}

/** Adds records to the log that no segment has applied. */
export async function appendPendingLog(persistDir: string, shape: Shape, rows: number): Promise<void> {
  await change(persistDir, (db) =>
    appendLogRows(db, {...shape, firstSeqId: shape.records + 1}, uuids(4, rows)),
  )
}

/** Gives every record a document, and puts rows into the log that both segments have applied. */
export async function addDocuments(persistDir: string, shape: Shape, loggedRows: number): Promise<void> {
  await change(persistDir, async (db) => {
    let firstId = 1
    for (const batch of batches(documents(shape.records))) {
      await db.run(
        `INSERT INTO embedding_metadata (id, key, string_value) SELECT ? + key, 'chroma:document', value FROM json_each(?)`,
        [firstId, JSON.stringify(batch)],
      )
      firstId += batch.length
    }

    await appendLogRows(db, {...shape, firstSeqId: shape.records - loggedRows}, uuids(4, loggedRows))
    await db.exec(
      `INSERT INTO embedding_fulltext_search (rowid, string_value)
       SELECT id, string_value FROM embedding_metadata WHERE +key = 'chroma:document' ORDER BY id`,
    )
  })
}

/** Without any care for a crash: a directory that is not finished is not used. */
async function change(persistDir: string, work: (db: Database) => Promise<void>): Promise<void> {
  await withDatabase(persistDir, async (db) => {
    await db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -262144')
    await transaction(db, 'IMMEDIATE', () => work(db))
  })
}

async function replaceCollections(db: Database, {dimension, records}: Shape): Promise<void> {
  await db.run(
    `INSERT INTO collections (id, name, dimension, database_id, config_json_str, schema_str)
     SELECT ?, ?, ?, database_id, config_json_str, schema_str FROM collections WHERE name = 'defaults'`,
    [COLLECTION_ID, COLLECTION, dimension],
  )
  await db.run('DELETE FROM collections WHERE id <> ?', [COLLECTION_ID])
  for (const table of OWNED_BY_COLLECTIONS) await db.run(`DELETE FROM ${table}`)
  const segments = [
    [VECTOR_SEGMENT_ID, 'urn:chroma:segment/vector/hnsw-local-persisted', 'VECTOR'],
    [METADATA_SEGMENT_ID, 'urn:chroma:segment/metadata/sqlite', 'METADATA'],
  ] as const
  for (const [id, type, scope] of segments) {
    await db.run('INSERT INTO segments (id, type, scope, collection) VALUES (?, ?, ?, ?)', [
      id,
      type,
      scope,
      COLLECTION_ID,
    ])
    await db.run('INSERT INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)', [id, records])
  }
}

async function appendLogRows(
  db: Database,
  {dimension, firstSeqId}: Pick<Shape, 'dimension'> & {firstSeqId: number},
  ids: Iterable<string>,
): Promise<void> {
  const random = new Random(5)
  let seqId = firstSeqId
  for (const batch of batches(ids)) {
    const vectors = new Float32Array(batch.length * dimension)
    random.fill(vectors)
    await db.run(
      `INSERT INTO embeddings_queue (seq_id, created_at, operation, topic, id, vector, encoding, metadata)
       SELECT ? + key, ?, 0, ?, value, substr(?, key * ? + 1, ?), 'FLOAT32', '{}' FROM json_each(?)`,
      [
        seqId,
        CREATED,
        TOPIC,
        new Uint8Array(vectors.buffer),
        4 * dimension,
        4 * dimension,
        JSON.stringify(batch),
      ],
    )
    seqId += batch.length
  }
}

function* batches(ids: Iterable<string>): Generator<string[]> {
  let batch: string[] = []
  for (const id of ids) {
    batch.push(id)
    if (batch.length < ROWS_PER_INSERT) continue
    yield batch
    batch = []
  }

  if (batch.length > 0) yield batch
}
