import type {PersistDir} from '@chops/core/persist-dir'

import {type Write, writeOutputFile} from '@chops/core/change'
import {join} from 'node:path'

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
        await writeLine(write, {tenant, database, collection, collectionId, id, ...record})
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

export async function writeLine(write: Write, value: object): Promise<void> {
  await write(encoder.encode(`${JSON.stringify(value)}\n`))
}
