import type {Collection} from '@chops/core/catalog'

import {logPages, type LogRow, readLogEnd} from '@chops/core/log'
import {generationText, type PersistDir} from '@chops/core/persist-dir'
import {transaction} from '@chops/core/sqlite'

import type {Write} from '@chops/core/change'

/** What is exported: `since` and `until` are seq ids, both included; no collection means all, and orphans. */
export interface ExportSelection {
  collection?: Collection | undefined
  since?: number | undefined
  until?: number | undefined
}

export interface ExportedRows {
  bytes: number
  firstSeqId: null | number
  lastSeqId: null | number
  records: number
}

export interface WalExport extends ExportedRows {
  chromaVersion: string
  collection: null | {database: string; id: string; name: string; tenant: string}
  /** Absolute; null for standard output. */
  file: null | string
  persistDirectory: string
  since: null | number
  status: 'cancelled' | 'done'
  until: null | number
}

export interface ExportOptions {
  /** Counts seq ids, some of which the log may have left out. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/** Lines are written together up to about this many characters. */
const CHUNK = 1 << 18

/**
 * Writes the log as JSON lines in the order of seq ids, all of one moment: the columns of `embeddings_queue` by name,
 * with the bytes of `vector` as base64 and the text of `metadata` as it is stored.
 *
 * Memory: a page of rows and a chunk of text, whatever the size of the log. Until it is done no other process can commit
 * to the database.
 */
export async function exportLog(
  dir: PersistDir,
  {collection, since, until}: ExportSelection,
  write: Write,
  {onProgress, signal}: ExportOptions = {},
): Promise<ExportedRows> {
  const exported = {...NOTHING}
  let text = ''
  const flush = async (): Promise<void> => {
    signal?.throwIfAborted()
    const chunk = Buffer.from(text)
    text = ''
    await write(chunk)
    exported.bytes += chunk.length
  }

  await transaction(dir.db, 'DEFERRED', async () => {
    const end = Math.min(await readLogEnd(dir), until ?? Number.POSITIVE_INFINITY)
    for await (const page of logPages(dir, {since, topic: collection?.topic, until})) {
      for (const row of page) {
        text += `${JSON.stringify(recordOf(row))}\n`
        exported.firstSeqId ??= row.seq_id
        exported.lastSeqId = row.seq_id
        exported.records += 1
        if (text.length >= CHUNK) await flush()
      }

      const first = exported.firstSeqId ?? 0
      onProgress?.((exported.lastSeqId ?? first) - first, end - first)
    }

    if (text !== '') await flush()
  })
  return exported
}

/** The result of an export; without `rows` of one that the user called off. */
export function exportResult(
  dir: PersistDir,
  {collection, since, until}: ExportSelection,
  file: null | string,
  rows?: ExportedRows,
): WalExport {
  return {
    ...NOTHING,
    ...rows,
    chromaVersion: generationText(dir.generation),
    collection: collection
      ? {database: collection.database, id: collection.id, name: collection.name, tenant: collection.tenant}
      : null,
    file,
    persistDirectory: dir.path,
    since: since ?? null,
    status: rows ? 'done' : 'cancelled',
    until: until ?? null,
  }
}

const NOTHING: ExportedRows = {bytes: 0, firstSeqId: null, lastSeqId: null, records: 0}

/** Keys in the order of the table's columns. */
function recordOf(row: LogRow): object {
  return {...row, vector: row.vector instanceof Uint8Array ? base64(row.vector) : row.vector}
}

function base64({buffer, byteLength, byteOffset}: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64')
}
