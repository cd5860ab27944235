import {encodeSeqId, hasColumn, type HnswParameters, readTopicPrefix} from '@chops/core/catalog'
import {usage} from '@chops/core/errors'
import {endsTextsAtNul, FTS_TABLE, type IdRange, readFtsDefinition, storeWholeTexts} from '@chops/core/fts'
import {readLogEnd} from '@chops/core/log'
import type {PersistDir} from '@chops/core/persist-dir'
import type {ChromaRecord, RecordMetadata, RecordMetadataScalar} from '@chops/core/records'
import {type SqlValue, transaction} from '@chops/core/sqlite'
import {randomUUID} from 'node:crypto'

import type {Place} from './chroma-server.js'

import {configurationJson, parameterMetadata} from './carried.js'
import {insertRows} from './insert-rows.js'
import {metadataJson, storedEntries} from './stored-record.js'

/** A collection that is to be made. */
export interface CollectionToInsert extends Place {
  dimension: null | number
  embeddingFunction: unknown
  metadata: null | RecordMetadata
  name: string
  parameters: HnswParameters
}

export interface InsertOptions {
  onProgress?: ((done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
  total: number
}

const VECTOR_TYPE = 'urn:chroma:segment/vector/hnsw-local-persisted'
const METADATA_TYPE = 'urn:chroma:segment/metadata/sqlite'
const OPERATION_ADD = 0

/**
 * Inserts a collection with its records in one transaction, as an engine leaves it after adding them: in the log from its
 * end on, and applied to the metadata segment; the index has yet to be built from the log. Until the commit nothing of it
 * is there.
 *
 * @param dir opened for writing
 * @returns the collection's id
 * @throws ChopsError `usage` when the name is taken or this generation cannot hold the metadata
 */
export async function insertCollection(
  dir: PersistDir,
  collection: CollectionToInsert,
  pages: AsyncIterable<ChromaRecord[]>,
  options: InsertOptions,
): Promise<string> {
  return transaction(dir.db, 'IMMEDIATE', async () => {
    const id = randomUUID()
    const metadataId = randomUUID()
    const topic = `${await readTopicPrefix(dir)}${id}`
    await insertCatalogRows(dir, collection, {id, metadataId, topic, vectorId: randomUUID()})
    const writer = await RecordWriter.open(dir, {metadataId, topic})
    let done = 0
    for await (const page of pages) {
      options.signal?.throwIfAborted()
      await writer.write(page)
      done += page.length
      options.onProgress?.(done, options.total)
    }

    await writer.finish()
    return id
  })
}

async function insertCatalogRows(
  {db, generation}: PersistDir,
  collection: CollectionToInsert,
  ids: {id: string; metadataId: string; topic: string; vectorId: string},
): Promise<void> {
  const {database, dimension, metadata, name, parameters, tenant} = collection
  await db.run('INSERT OR IGNORE INTO tenants (id) VALUES (?)', [tenant])
  await db.run('INSERT OR IGNORE INTO databases (id, name, tenant_id) VALUES (?, ?, ?)', [
    randomUUID(),
    database,
    tenant,
  ])
  const place = await db.get<{id: string}>('SELECT id FROM databases WHERE name = ? AND tenant_id = ?', [
    database,
    tenant,
  ])
  const databaseId = place?.id ?? ''
  if (await db.get('SELECT 1 FROM collections WHERE name = ? AND database_id = ?', [name, databaseId])) {
    throw usage(`There is a collection ${tenant}/${database}/${name} already.`, {
      next: 'Give the copy another name with --as.',
    })
  }

  const has = async (table: string, column: string): Promise<boolean> => hasColumn(db, table, column)
  const {topic} = ids
  await insertRow(db, 'collections', {
    database_id: databaseId,
    dimension,
    id: ids.id,
    name,
    ...((await has('collections', 'topic')) && {topic}),
    ...((await has('collections', 'config_json_str')) && {
      config_json_str: configurationJson(generation, parameters, collection.embeddingFunction),
    }),
  })
  const segmentTopic = (await has('segments', 'topic')) ? {topic} : {}
  await insertRow(db, 'segments', {
    collection: ids.id,
    id: ids.vectorId,
    scope: 'VECTOR',
    type: VECTOR_TYPE,
    ...segmentTopic,
  })
  await insertRow(db, 'segments', {
    collection: ids.id,
    id: ids.metadataId,
    scope: 'METADATA',
    type: METADATA_TYPE,
    ...segmentTopic,
  })
  await insertOwnMetadata(
    db,
    {column: 'collection_id', owner: ids.id, table: 'collection_metadata'},
    metadata ?? {},
  )
  // The Rust engines have them in the configuration; the Python engines look nowhere else.
  const own = generation.engine === 'python' ? parameterMetadata(parameters) : {}
  await insertOwnMetadata(db, {column: 'segment_id', owner: ids.vectorId, table: 'segment_metadata'}, own)
}

async function insertOwnMetadata(
  db: PersistDir['db'],
  {column, owner, table}: {column: string; owner: string; table: string},
  metadata: RecordMetadata,
): Promise<void> {
  const hasBooleans = await hasColumn(db, table, 'bool_value')
  for (const [key, value] of Object.entries(metadata)) {
    if (Array.isArray(value)) throw listsUnknown(`The metadata ${JSON.stringify(key)} of the collection`)
    const columns = valueColumns(value)
    await insertRow(db, table, {
      [column]: owner,
      key,
      str_value: columns.string_value,
      float_value: columns.float_value,
      int_value: hasBooleans ? columns.int_value : (columns.int_value ?? columns.bool_value),
      ...(hasBooleans && {bool_value: columns.bool_value}),
    })
  }
}

async function insertRow(db: PersistDir['db'], table: string, row: Record<string, SqlValue>): Promise<void> {
  await insertRows(db, table, Object.keys(row), [Object.values(row)])
}

/** Writes records into the log and into the metadata segment. */
class RecordWriter {
  private isCut: boolean | undefined

  private constructor(
    private readonly dir: PersistDir,
    private readonly collection: {metadataId: string; topic: string},
    private readonly next: {record: number; seqId: number},
    private readonly hasArrays: boolean,
  ) {}

  static async open(dir: PersistDir, collection: {metadataId: string; topic: string}): Promise<RecordWriter> {
    const hasArrays = await hasColumn(dir.db, 'embedding_metadata_array', 'key')
    return new RecordWriter(
      dir,
      collection,
      {record: await nextRecord(dir, hasArrays), seqId: (await readLogEnd(dir)) + 1},
      hasArrays,
    )
  }

  async write(page: readonly ChromaRecord[]): Promise<void> {
    const first = this.next.record
    const log: SqlValue[][] = []
    const embeddings: SqlValue[][] = []
    const scalars: SqlValue[][] = []
    const lists: SqlValue[][] = []
    const documents: [number, string][] = []
    for (const record of page) {
      const {document, embedding, id} = record
      const row = this.next.record++
      const seqId = this.next.seqId++
      const stored = storedEntries(record)
      const bytes = embedding && new Uint8Array(embedding.buffer, embedding.byteOffset, embedding.byteLength)
      const json = stored.length === 0 ? null : metadataJson(stored)
      log.push([seqId, OPERATION_ADD, this.collection.topic, id, bytes ?? null, 'FLOAT32', json])
      embeddings.push([row, this.collection.metadataId, id, encodeSeqId(this.dir.generation, seqId)])
      if (document !== null) documents.push([row, document])
      for (const [key, value] of stored) {
        if (!Array.isArray(value)) scalars.push([row, key, ...Object.values(valueColumns(value))])
        else if (this.hasArrays)
          lists.push(...value.map((item) => [row, key, ...Object.values(valueColumns(item))]))
        else throw listsUnknown(`The metadata ${JSON.stringify(key)} of the record ${JSON.stringify(id)}`)
      }
    }

    const {db} = this.dir
    const values = ['id', 'key', 'string_value', 'int_value', 'float_value', 'bool_value']
    await insertRows(
      db,
      'embeddings_queue',
      ['seq_id', 'operation', 'topic', 'id', 'vector', 'encoding', 'metadata'],
      log,
    )
    await insertRows(db, 'embeddings', ['id', 'segment_id', 'embedding_id', 'seq_id'], embeddings)
    await insertRows(db, 'embedding_metadata', values, scalars)
    await insertRows(db, 'embedding_metadata_array', values, lists)
    await this.insertDocuments(documents, {after: first - 1, to: this.next.record - 1})
  }

  private async insertDocuments(documents: readonly [number, string][], range: IdRange): Promise<void> {
    const {db} = this.dir
    const columns = ['rowid', 'string_value']
    if (documents.every(([, text]) => !text.includes('\0')) || !(await this.cutsDocuments())) {
      await insertRows(db, FTS_TABLE, columns, documents)
      return
    }

    const indexed = documents.map(([row, text]): SqlValue[] => [row, text.split('\0', 1)[0] ?? ''])
    await insertRows(db, FTS_TABLE, columns, indexed)
    await storeWholeTexts(db, range)
  }

  /** Asked for the first document with a NUL character, before it is inserted. */
  private async cutsDocuments(): Promise<boolean> {
    if (this.isCut === undefined) {
      const {db, generation} = this.dir
      const {tokenizer} = await readFtsDefinition(db)
      this.isCut = await endsTextsAtNul(db, {engine: generation.engine, tokenizer})
    }

    return this.isCut
  }

  /** The metadata segment stands at the end of the log. */
  async finish(): Promise<void> {
    const {db, generation} = this.dir
    const seqId = encodeSeqId(generation, this.next.seqId - 1)
    await insertRow(db, 'max_seq_id', {segment_id: this.collection.metadataId, seq_id: seqId})
  }
}

/** Above every number that a row of metadata or of the full-text index has: deleted collections may leave some behind. */
async function nextRecord({db}: PersistDir, hasArrays: boolean): Promise<number> {
  const tables = ['embeddings', 'embedding_metadata', ...(hasArrays ? ['embedding_metadata_array'] : [])]
  const selects = [
    ...tables.map((table) => `SELECT MAX(id) AS id FROM ${table}`),
    `SELECT MAX(rowid) FROM ${FTS_TABLE}`,
  ]
  const row = await db.get<{id: null | number}>(`SELECT MAX(id) AS id FROM (${selects.join(' UNION ALL ')})`)
  return (row?.id ?? 0) + 1
}

/** In the order of `string_value`, `int_value`, `float_value`, `bool_value`. */
function valueColumns(value: RecordMetadataScalar): {
  string_value: null | string
  int_value: bigint | null
  float_value: null | number
  bool_value: null | number
} {
  return {
    string_value: typeof value === 'string' ? value : null,
    int_value: typeof value === 'bigint' ? value : null,
    float_value: typeof value === 'number' ? value : null,
    bool_value: typeof value === 'boolean' ? Number(value) : null,
  }
}

function listsUnknown(what: string): Error {
  return usage(`${what} is a list, which the Chroma of this directory does not know.`, {
    next: 'Pull into a directory of Chroma 1.5 or later.',
  })
}
