import {writeOutputFile} from '@chops/core/change'
import {OPERATION, PLACEHOLDER} from '@chops/core/log'
import type {PersistDir} from '@chops/core/persist-dir'
import {keysetPages} from '@chops/core/sqlite'
import {join} from 'node:path'

import type {PendingLog} from '../check/pending.js'
import {writeLine} from './lists.js'

interface LogRow {
  created_at: null | string
  encoding: null | string
  id: null | string
  metadata: null | string
  operation: null | string
  seq_id: number
  topic: string
  vector: null | string
}

/**
 * W8: writes the log rows that no engine can apply to a file, whole, and then makes each of them one that deletes a
 * record that does not exist, so that no number of the log goes missing. In the caller's transaction; the file is on the
 * disk before a row is changed.
 *
 * @returns the file; undefined when there is no such row
 */
export async function moveUnusableRows(
  dir: PersistDir,
  {unusable}: PendingLog,
  name: string,
): Promise<string | undefined> {
  const seqIds = [...unusable.values()].flatMap(({seqIds: own}) => own)
  if (seqIds.length === 0) return undefined
  const path = join(dir.path, name)
  const list = JSON.stringify(seqIds)
  await writeOutputFile(path, async (write) => {
    const pages = keysetPages<LogRow>(dir.db, {
      columns: `seq_id, CAST(created_at AS TEXT) AS created_at, CAST(operation AS TEXT) AS operation,
                CAST(topic AS TEXT) AS topic, CAST(id AS TEXT) AS id, CAST(encoding AS TEXT) AS encoding,
                CAST(metadata AS TEXT) AS metadata, CASE WHEN vector IS NULL THEN NULL ELSE hex(vector) END AS vector`,
      from: 'embeddings_queue',
      key: 'seq_id',
      pageSize: 64,
      params: [list],
      where: 'seq_id IN (SELECT value FROM json_each(?))',
    })
    for await (const page of pages) {
      for (const {vector, ...row} of page) {
        const base64 = vector === null ? null : Buffer.from(vector, 'hex').toString('base64')
        await writeLine(write, {...row, vector: base64})
      }
    }
  })
  await dir.db.run(
    `UPDATE embeddings_queue SET operation = ?, id = ? || seq_id, vector = NULL, encoding = NULL, metadata = NULL
     WHERE seq_id IN (SELECT value FROM json_each(?))`,
    [OPERATION.delete, PLACEHOLDER, list],
  )
  return path
}

/**
 * W8: takes the metadata out of the log rows that wait for the index only, where a Rust engine cannot read it: the records
 * have it already, and the index wants no more than the vector. In the caller's transaction.
 */
export async function clearUnreadableMetadata(
  {db, generation}: PersistDir,
  {unreadable}: PendingLog,
): Promise<void> {
  if (generation.engine !== 'rust') return
  const seqIds = [...unreadable.values()].flatMap(({seqIds: own}) => own)
  await db.run(
    'UPDATE embeddings_queue SET metadata = NULL WHERE seq_id IN (SELECT value FROM json_each(?))',
    [JSON.stringify(seqIds)],
  )
}
