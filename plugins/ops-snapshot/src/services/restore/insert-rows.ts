import {encodeSeqId, hasColumn, keepsVectorSeqIdInTable} from '@chops/core/catalog'
import type {PersistDir} from '@chops/core/persist-dir'

import type {Snapshot} from '../format/open.js'
import {insertCatalogRows, insertRow} from '../insert/catalog-rows.js'
import type {Conversion} from './conversion.js'
import type {Identifiers} from './identifiers.js'
import type {LogPositions} from './log-positions.js'
import {SNAPSHOT} from './insert-records.js'
import type {RestoreTarget} from './target.js'

export interface InsertOptions {
  conversion: Conversion
  ids: Identifiers
  /** Whether the vector segment has an index. */
  isPersisted: boolean
  positions: LogPositions
  target: RestoreTarget
  /** Of the collection in the directory. */
  topic: string
}

/**
 * Inserts a collection from the attached snapshot, all but its records, in the caller's transaction and in the form that
 * the directory's generation has. Log rows get the numbers after the end of the log.
 */
export async function insertCollectionRows(
  dir: PersistDir,
  snapshot: Snapshot,
  options: InsertOptions,
): Promise<void> {
  const {conversion, ids, target, topic} = options
  await insertCatalogRows(dir.db, {
    configJson: conversion.configJson,
    dimension: snapshot.collection.dimension,
    id: ids.collectionId,
    name: target.name,
    place: target,
    schemaJson: conversion.schemaJson,
    segmentIds: {METADATA: ids.metadataId, VECTOR: ids.vectorId},
    topic,
  })
  await insertPositions(dir, options)
  await insertOwnMetadata(dir, snapshot, options.ids)
  await insertLog(dir, snapshot, options)
}

async function insertPositions(
  {db, generation}: PersistDir,
  {ids, isPersisted, positions}: InsertOptions,
): Promise<void> {
  const applied: [string, number | undefined][] = [
    [ids.metadataId, positions.metadata],
    [ids.vectorId, isPersisted && keepsVectorSeqIdInTable(generation) ? positions.vector : undefined],
  ]
  for (const [id, seqId] of applied) {
    if (seqId === undefined) continue
    await insertRow(db, 'max_seq_id', {segment_id: id, seq_id: encodeSeqId(generation, seqId)})
  }
}

/** `collection_metadata` and `segment_metadata`, whose booleans an older schema has no column for. */
async function insertOwnMetadata(
  {db}: PersistDir,
  {collection}: Snapshot,
  {collectionId, metadataId, vectorId}: Identifiers,
): Promise<void> {
  const owners = [
    ['collection_metadata', 'collection_id', collection.id, collectionId],
    ['segment_metadata', 'segment_id', collection.vector.id, vectorId],
    ['segment_metadata', 'segment_id', collection.metadata.id, metadataId],
  ] as const
  for (const [table, owner, oldId, newId] of owners) {
    const values = ['key', 'str_value', 'int_value', 'float_value']
    if (await hasColumn(db, table, 'bool_value')) values.push('bool_value')
    await db.run(
      `INSERT INTO main.${table} (${owner}, ${values.join(', ')})
       SELECT ?, ${values.join(', ')} FROM ${SNAPSHOT}.${table} WHERE ${owner} = ? ORDER BY rowid`,
      [newId, oldId],
    )
  }
}

/**
 * The Python engines write NaN and infinities into the metadata of a row, which the Rust engines refuse to read. Where the
 * records have it already, only the vector of the row is still wanted.
 */
async function insertLog(
  {db, generation}: PersistDir,
  {collection}: Snapshot,
  {positions, topic}: InsertOptions,
): Promise<void> {
  // Rows up to this one lose such metadata.
  const applied = generation.engine === 'rust' ? (collection.metadata.maxSeqId ?? 0) : 0
  await db.run(
    `INSERT INTO main.embeddings_queue (seq_id, created_at, operation, topic, id, vector, encoding, metadata)
     SELECT ? + ROW_NUMBER() OVER (ORDER BY seq_id), created_at, operation, ?, id, vector, encoding,
            CASE WHEN seq_id > ? OR json_valid(metadata) THEN metadata END
     FROM ${SNAPSHOT}.embeddings_queue ORDER BY seq_id`,
    [positions.base, topic, applied],
  )
}
