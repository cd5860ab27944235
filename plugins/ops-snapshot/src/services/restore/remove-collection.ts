import {type Collection, hasColumn} from '@chops/core/catalog'
import {cutTextsToDelete, FTS_TABLE, readFtsDefinition} from '@chops/core/fts'
import type {PersistDir} from '@chops/core/persist-dir'

/**
 * Deletes the rows of a collection, in the caller's transaction: what Chroma's `delete_collection` deletes, and what that
 * leaves behind (arrays of metadata, the log).
 *
 * @param firstKept log rows from this one on stay: an emptied log would begin again at 1, below what segments have applied
 */
export async function removeCollection(
  {db}: PersistDir,
  {id, metadataSegment, topic}: Collection,
  firstKept: number,
): Promise<void> {
  const records = 'IN (SELECT id FROM embeddings WHERE segment_id = ?)'
  const metadataId = metadataSegment?.id ?? ''
  const {tokenizer = ''} = await readFtsDefinition(db)
  await cutTextsToDelete(db, tokenizer, metadataId)
  await db.run(`DELETE FROM ${FTS_TABLE} WHERE rowid ${records}`, [metadataId])
  await db.run(`DELETE FROM embedding_metadata WHERE id ${records}`, [metadataId])
  if (await hasColumn(db, 'embedding_metadata_array', 'id'))
    await db.run(`DELETE FROM embedding_metadata_array WHERE id ${records}`, [metadataId])
  await db.run('DELETE FROM embeddings WHERE segment_id = ?', [metadataId])
  const segments = 'IN (SELECT id FROM segments WHERE collection = ?)'
  await db.run(`DELETE FROM max_seq_id WHERE segment_id ${segments}`, [id])
  await db.run(`DELETE FROM segment_metadata WHERE segment_id ${segments}`, [id])
  await db.run('DELETE FROM segments WHERE collection = ?', [id])
  await db.run('DELETE FROM collection_metadata WHERE collection_id = ?', [id])
  await db.run('DELETE FROM collections WHERE id = ?', [id])
  await db.run('DELETE FROM embeddings_queue WHERE topic = ? AND seq_id < ?', [topic, firstKept])
}

/**
 * Merges the full-text index into one segment without marks of deleted rows. The marks that SQLite 3.52 writes, 3.40 (the
 * one of many Pythons) loses track of when it merges segments later, and then calls the index malformed.
 */
export async function settleFullText({db}: PersistDir): Promise<void> {
  await db.run(`INSERT INTO ${FTS_TABLE} (${FTS_TABLE}) VALUES ('optimize')`)
}
