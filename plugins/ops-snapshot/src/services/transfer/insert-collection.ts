import {hasColumn, type HnswParameters, readTopicPrefix} from '@chops/core/catalog'
import {usage} from '@chops/core/errors'
import type {PersistDir} from '@chops/core/persist-dir'
import type {ChromaRecord, RecordMetadata} from '@chops/core/records'
import {type Database, transaction} from '@chops/core/sqlite'
import {randomUUID} from 'node:crypto'

import {insertCatalogRows, insertRow} from '../insert/catalog-rows.js'
import {configurationJson, parameterMetadata} from './carried.js'
import type {Place} from './chroma-server.js'
import {RecordWriter} from './record-writer.js'
import {listsUnknown, valueColumns} from './stored-record.js'

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
    await requireFreeName(dir, collection)
    const id = randomUUID()
    const segmentIds = {METADATA: randomUUID(), VECTOR: randomUUID()}
    const topic = `${await readTopicPrefix(dir)}${id}`
    const {dimension, embeddingFunction, name, parameters} = collection
    await insertCatalogRows(dir.db, {
      configJson: configurationJson(dir.generation, parameters, embeddingFunction),
      dimension,
      id,
      name,
      place: collection,
      schemaJson: null,
      segmentIds,
      topic,
    })
    await insertOwnMetadata(dir, collection, {collectionId: id, vectorId: segmentIds.VECTOR})
    const writer = await RecordWriter.open(dir, {metadataId: segmentIds.METADATA, topic})
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

async function requireFreeName(
  {db}: PersistDir,
  {database, name, tenant}: CollectionToInsert,
): Promise<void> {
  const taken = await db.get(
    `SELECT 1 FROM collections c JOIN databases d ON d.id = c.database_id
     WHERE c.name = ? AND d.name = ? AND d.tenant_id = ?`,
    [name, database, tenant],
  )
  if (!taken) return
  throw usage(`There is a collection ${tenant}/${database}/${name} already.`, {
    next: 'Give the copy another name with --as.',
  })
}

/** The Rust engines have the parameters in the configuration; the Python engines look at the segment's metadata alone. */
async function insertOwnMetadata(
  {db, generation}: PersistDir,
  {metadata, parameters}: CollectionToInsert,
  {collectionId, vectorId}: {collectionId: string; vectorId: string},
): Promise<void> {
  const ofSegment = generation.engine === 'python' ? parameterMetadata(parameters) : {}
  await insertEntries(db, 'collection_metadata', {collection_id: collectionId}, metadata ?? {})
  await insertEntries(db, 'segment_metadata', {segment_id: vectorId}, ofSegment)
}

async function insertEntries(
  db: Database,
  table: string,
  owner: Record<string, string>,
  metadata: RecordMetadata,
): Promise<void> {
  const hasBooleans = await hasColumn(db, table, 'bool_value')
  for (const [key, value] of Object.entries(metadata)) {
    if (Array.isArray(value)) throw listsUnknown(`The metadata ${JSON.stringify(key)} of the collection`)
    const {bool_value, float_value, int_value, string_value} = valueColumns(value)
    await insertRow(db, table, {
      ...owner,
      bool_value,
      float_value,
      int_value: hasBooleans ? int_value : (int_value ?? bool_value),
      key,
      str_value: string_value,
    })
  }
}
