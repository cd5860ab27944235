import {damaged} from '@chops/core/errors'
import {allEnded, requireFreeSpace} from '@chops/core/change'
import {type IndexMetadataSummary} from '@chops/core/hnsw'
import {requireSoundSegment} from '@chops/core/index-files'
import type {Database} from '@chops/core/sqlite'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {requireConsistentRows} from './consistency.js'
import {contradiction} from './contents.js'
import {digestTables} from './digest-tables.js'
import {countsFrom, type SnapshotCounts} from './counts.js'
import type {Snapshot} from './open.js'
import {readIndexFiles, type ReadIndexOptions, readStoredFiles, type StoredFile} from './read-index.js'
import {indexBytes, TABLE_NAMES, type TableName} from './tables.js'

/**
 * Holds the rows against each other and counts them. In a snapshot of the Python tool, which has no checksums of rows,
 * SQLite's own check comes first: it finds damaged pages and no changed values.
 *
 * @throws ChopsError `damaged` when they could not be those of a collection
 */
export async function checkRows(snapshot: Snapshot): Promise<SnapshotCounts> {
  const {collection, db, layout} = snapshot
  if (layout === 'python') await requireIntactPages(db)
  await requireConsistentRows(db, layout, collection)
  const rows = new Map<TableName, number>()
  for (const name of TABLE_NAMES) {
    if (layout === 'python' && name === 'embedding_metadata_array') continue
    const row = await db.get<{count: number}>(`SELECT COUNT(*) AS count FROM ${name}`)
    rows.set(name, row?.count ?? 0)
  }

  return countsFrom(rows, (await readStoredFiles(snapshot)).length)
}

/**
 * Compares the content of every table with its checksum; a snapshot of the Python tool has none.
 *
 * @throws ChopsError `damaged` for the first table that differs
 */
export async function compareTables(
  {db, info, layout}: Snapshot,
  {signal}: {signal?: AbortSignal | undefined} = {},
): Promise<void> {
  if (layout === 'python') return
  const stated = await db.all<{name: string; row_count: number; sha256: string}>(
    'SELECT name, row_count, sha256 FROM snapshot_tables LIMIT 100',
  )
  for (const [name, {rows, sha256}] of await digestTables(db, info.formatVersion, signal)) {
    const expected = stated.find((row) => row.name === name)
    if (!expected || expected.row_count !== rows || expected.sha256 !== sha256)
      throw contradiction(db, `has a table ${name} that does not have its checksum`)
  }
}

/**
 * Makes sure that an engine can use the extracted index files.
 *
 * @param folder where `readIndexFiles` wrote them
 * @returns the id map without its ids; undefined for a segment that was never persisted
 */
export async function verifyIndex(
  snapshot: Snapshot,
  folder: string,
  {signal}: ReadIndexOptions = {},
): Promise<IndexMetadataSummary | undefined> {
  const {collection, db, parameters} = snapshot
  const rules = {cosine: parameters.space === 'cosine', dimension: collection.dimension}
  const metadata = await requireSoundSegment(folder, rules, {signal}).catch((error: unknown) => {
    throw inSnapshot(snapshot, folder, error)
  })
  if (metadata && collection.dimension === null)
    throw contradiction(db, 'holds an index of a collection without a dimension')
  if (!metadata && collection.vector.maxSeqId !== undefined)
    throw contradiction(db, 'holds no index, although its vector segment has applied a part of the log')
  return metadata
}

/** Verifies a snapshot on its own: its index files go into a temporary folder for a moment. */
export async function verifySnapshot(
  snapshot: Snapshot,
  options: ReadIndexOptions = {},
): Promise<{counts: SnapshotCounts; files: StoredFile[]}> {
  const counts = await checkRows(snapshot)
  const files = await readStoredFiles(snapshot)
  const folder = await mkdtemp(join(tmpdir(), 'chops-'))
  try {
    await requireFreeSpace(folder, indexBytes(files), 'checking the index files')
    await allEnded([compareTables(snapshot, options), checkIndex(snapshot, files, folder, options)])
    return {counts, files}
  } finally {
    await rm(folder, {force: true, recursive: true})
  }
}

async function checkIndex(
  snapshot: Snapshot,
  files: readonly StoredFile[],
  folder: string,
  options: ReadIndexOptions,
): Promise<void> {
  await readIndexFiles(snapshot, files, folder, options)
  await verifyIndex(snapshot, folder, options)
}

/** Speaks of the snapshot where an error speaks of files that are only there for the check. */
function inSnapshot({file}: Snapshot, folder: string, error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.includes(folder)) return error
  return damaged(`The index in ${file} is not sound: ${error.message.replaceAll(join(folder, '/'), '')}`, {
    cause: error,
    file,
    next: 'Use another copy of the snapshot, or take it again.',
  })
}

async function requireIntactPages(db: Database): Promise<void> {
  const [check] = await db.all<{integrity_check: string}>('PRAGMA integrity_check(1)')
  if (check?.integrity_check !== 'ok') throw contradiction(db, `is damaged (${check?.integrity_check})`)
}
