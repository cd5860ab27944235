import type {Database} from '@chops/core/sqlite'

import {contradiction, type SnapshotCollection} from './contents.js'
import type {SnapshotInfo} from './info.js'

/** Schemas of the directories that the Python tool takes snapshots of. */
const PYTHON_ENGINE = {embeddingsQueue: 2, metadb: 4, sysdb: 9}
const RUST_ENGINE = {embeddingsQueue: 2, metadb: 5, sysdb: 9}

/**
 * What can be told about a snapshot of the Python tool, which does not say which Chroma it was taken from: seq ids are
 * BLOBs up to 0.6 and INTEGERs from 1.0.
 *
 * @throws ChopsError `damaged` for one that was taken from Chroma 1.3 or later, whose configuration the tool leaves out
 */
export async function readPythonInfo(db: Database, {configJson}: SnapshotCollection): Promise<SnapshotInfo> {
  const row = await db.get<{blobs: number; integers: number}>(
    `SELECT COUNT(*) FILTER (WHERE typeof(seq_id) = 'blob') AS blobs,
            COUNT(*) FILTER (WHERE typeof(seq_id) = 'integer') AS integers FROM max_seq_id`,
  )
  const hasOldConfig = configJson?.includes('"hnsw_configuration"') ?? true
  const isRust = row && row.blobs + row.integers > 0 ? row.integers > 0 : !hasOldConfig
  if (isRust && configJson?.trim() === '{}') {
    throw contradiction(
      db,
      'was taken by the Python tool from Chroma 1.3 or later, and lacks the configuration of the index (schema_str)',
    )
  }

  const records = await db.get<{count: number}>('SELECT COUNT(*) AS count FROM embeddings')
  return {
    compression: 'zlib',
    createdAt: null,
    formatVersion: 0,
    records: records?.count ?? 0,
    schema: isRust ? RUST_ENGINE : PYTHON_ENGINE,
  }
}
