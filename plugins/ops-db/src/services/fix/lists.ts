import type {PersistDir} from '@chops/core/persist-dir'

import {type Write, writeOutputFile} from '@chops/core/change'
import {keysetPages} from '@chops/core/sqlite'
import {OPERATION, PLACEHOLDER} from '@chops/core/log'
import {join} from 'node:path'

import type {PendingLog} from '../check/pending.js'
import type {LedgerRow} from '../check/ledger.js'

const encoder = new TextEncoder()

interface MetadataRow {
  bool_value: null | number
  float_value: null | number
  int_value: null | string
  key: string
  string_value: null | string
}

/**
 * Writes each record that lost its vector as a line of JSON with its document and its metadata, which is what it takes to
 * embed it again.
 *
 * @returns the file
 */
export async function writeLostRecords(
  dir: PersistDir,
  ledger: readonly LedgerRow[],
  name: string,
): Promise<string> {
  const path = join(dir.path, name)
  await writeOutputFile(path, async (write) => {
    for (const {database, id: collectionId, lostIds, name: collection, tenant} of ledger) {
      for (const id of lostIds) {
        const record = await readRecord(dir, collectionId, id)
        await line(write, {tenant, database, collection, collectionId, id, ...record})
      }
    }
  })
  return path
}

async function readRecord(
  {db}: PersistDir,
  collectionId: string,
  id: string,
): Promise<{document: null | string; metadata: Record<string, unknown>}> {
  const rows = await db.all<MetadataRow>(
    `SELECT m.key, m.string_value, CAST(m.int_value AS TEXT) AS int_value, m.float_value, m.bool_value
     FROM embedding_metadata m JOIN embeddings e ON e.id = m.id JOIN segments s ON s.id = e.segment_id
     WHERE s.collection = ? AND s.scope = 'METADATA' AND e.embedding_id = ? ORDER BY m.key`,
    [collectionId, id],
  )
  const metadata: Record<string, unknown> = {}
  let document: null | string = null
  for (const row of rows) {
    if (row.key === 'chroma:document') document = row.string_value
    else metadata[row.key] = valueOf(row)
  }

  return {document, metadata}
}

function valueOf({bool_value, float_value, int_value, string_value}: MetadataRow): unknown {
  if (string_value !== null) return string_value
  if (bool_value !== null) return bool_value !== 0
  if (int_value !== null) return Number.isSafeInteger(Number(int_value)) ? Number(int_value) : int_value
  return float_value
}

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
        await line(write, {...row, vector: base64})
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

async function line(write: Write, value: object): Promise<void> {
  await write(encoder.encode(`${JSON.stringify(value)}\n`))
}
