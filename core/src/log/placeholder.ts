import type {Database} from '../sqlite/database.js'

import {OPERATION} from './operation.js'

/** What ids of records that never existed begin with, in rows that the log has only for their numbers. */
export const PLACEHOLDER = 'chops-placeholder-'

/**
 * Puts a row into the log for the sake of its number, in the caller's transaction: it deletes a record that does not exist,
 * which every engine ignores.
 */
export async function insertPlaceholder(
  {db}: {db: Database},
  {seqId, topic}: {seqId: number; topic: string},
): Promise<void> {
  await db.run('INSERT INTO embeddings_queue (seq_id, operation, topic, id) VALUES (?, ?, ?, ?)', [
    seqId,
    OPERATION.delete,
    topic,
    `${PLACEHOLDER}${seqId}`,
  ])
}
