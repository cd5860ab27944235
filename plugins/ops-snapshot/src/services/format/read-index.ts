import {writeAt} from '@chops/core/change'
import {createHash} from 'node:crypto'
import {open} from 'node:fs/promises'
import {join} from 'node:path'

import {expand} from './compression.js'
import {contradiction} from './contents.js'
import type {Snapshot} from './open.js'
import {readPythonFile, readPythonFiles} from './python-index.js'
import {CHUNK_BYTES, FILE_NAMES, indexBytes} from './tables.js'

export interface ReadIndexOptions {
  /** Counts bytes of the files. */
  onProgress?: ((done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
}

/** An index file as the snapshot states it. */
export interface StoredFile {
  filename: string
  sha256: string
  size: number
}

/** Rows of chunks that are read and expanded at once. */
const AT_ONCE = 4

/** The index files that the snapshot states: none for a segment that no engine had written yet. */
export async function readStoredFiles({db, layout}: Snapshot): Promise<StoredFile[]> {
  if (layout === 'python') return readPythonFiles(db)
  const files = await db.all<StoredFile>(
    'SELECT filename, size, sha256 FROM hnsw_segment_files ORDER BY rowid LIMIT 100',
  )
  const chunks = await db.get<{count: number}>('SELECT COUNT(*) AS count FROM hnsw_segment_data')
  const expected = files.reduce((sum, {size}) => sum + Math.ceil(size / CHUNK_BYTES), 0)
  const isSound = files.every(
    ({filename, size}) => FILE_NAMES.has(filename) && Number.isSafeInteger(size) && size >= 0,
  )
  if (
    !isSound ||
    new Set(files.map(({filename}) => filename)).size !== files.length ||
    chunks?.count !== expected
  )
    throw contradiction(db, 'does not hold the index files that it states')
  return files
}

/**
 * Writes the index files of a snapshot into a folder, synced, and compares each with its SHA-256. Memory: a few chunks.
 *
 * @param files what `readStoredFiles` found in it
 * @param folder empty
 * @throws ChopsError `damaged` for a file that is not what its checksum says
 */
export async function readIndexFiles(
  snapshot: Snapshot,
  files: readonly StoredFile[],
  folder: string,
  {onProgress, signal}: ReadIndexOptions = {},
): Promise<void> {
  const total = indexBytes(files)
  let done = 0
  for (const file of files) {
    const path = join(folder, file.filename)
    const handle = await open(path, 'wx')
    try {
      const hash = createHash('sha256')
      let position = 0
      for await (const chunk of snapshot.layout === 'chops'
        ? chunksOf(snapshot, file)
        : readPythonFile(snapshot.db, file)) {
        signal?.throwIfAborted()
        hash.update(chunk)
        await writeAt(handle, path, chunk, position)
        position += chunk.byteLength
        done += chunk.byteLength
        onProgress?.(done, total)
      }

      if (hash.digest('hex') !== file.sha256)
        throw contradiction(snapshot.db, `has a ${file.filename} that does not have its checksum`)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

/**
 * Chunks stand in order, so that each part of the table is read once.
 *
 * @yields the bytes of a chunk
 */
async function* chunksOf({db, info}: Snapshot, {filename, size}: StoredFile): AsyncGenerator<Uint8Array> {
  const count = Math.ceil(size / CHUNK_BYTES)
  let after = -1
  for (let next = 0; next < count;) {
    const rows = await db.all<{chunk: number; data: Uint8Array; id: number}>(
      `SELECT id, chunk, data FROM hnsw_segment_data WHERE filename = ? AND id > ? ORDER BY id LIMIT ${AT_ONCE}`,
      [filename, after],
    )
    const chunks = await Promise.all(
      rows.map(async ({chunk, data}, index) => {
        const isNext = chunk === next + index && chunk < count && data instanceof Uint8Array
        return isNext
          ? expand(info.compression, data, Math.min(CHUNK_BYTES, size - chunk * CHUNK_BYTES))
          : undefined
      }),
    )
    if (chunks.length === 0) throw contradiction(db, `lacks a part of ${filename}`)
    for (const chunk of chunks) {
      if (!chunk) throw contradiction(db, `has a part of ${filename} that cannot be expanded`)
      yield chunk
    }

    next += chunks.length
    after = rows.at(-1)?.id ?? after
  }
}
