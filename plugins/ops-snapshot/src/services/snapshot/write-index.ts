import type {Database} from '@chops/core/sqlite'

import {damaged} from '@chops/core/errors'
import type {SourceFile} from '@chops/core/hnsw'
import {createHash} from 'node:crypto'
import {open} from 'node:fs/promises'
import {availableParallelism} from 'node:os'

import {compress, type Compression} from '../format/compression.js'
import {CHUNK_BYTES} from '../format/tables.js'

export interface WriteIndexOptions {
  compression: Compression
  /** Counts bytes of the files. */
  onBytes?: ((bytes: number) => void) | undefined
  segmentId: string
  signal?: AbortSignal | undefined
}

/** Chunks in work at a time: one more than there are cores, so that reading and SQLite never leave one idle. */
const IN_WORK = Math.min(availableParallelism(), 4) + 1

/**
 * Stores a file of the index with its SHA-256, chunk by chunk: each is read and hashed in turn, compressed beside others
 * on all cores, and stored in order. Memory: a few chunks.
 *
 * @throws ChopsError `damaged` when the file ends early
 */
export async function writeIndexFile(
  db: Database,
  {name, path, size}: SourceFile,
  {compression, onBytes, segmentId, signal}: WriteIndexOptions,
): Promise<void> {
  const hash = createHash('sha256')
  const handle = await open(path, 'r')
  const inWork: Promise<Uint8Array>[] = []
  // Each is used again once its chunk is stored: so much garbage would keep the collector busy.
  const buffers = Array.from({length: IN_WORK}, () => Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size)))
  let next = 0
  let stored = 0
  const storeNext = async (): Promise<void> => {
    const data = await inWork.shift()
    if (!data) return
    await db.run('INSERT INTO hnsw_segment_data (segment_id, filename, chunk, data) VALUES (?, ?, ?, ?)', [
      segmentId,
      name,
      stored++,
      data,
    ])
  }

  try {
    for (let position = 0; position < size; position += CHUNK_BYTES) {
      signal?.throwIfAborted()
      const chunk = (buffers[next++ % IN_WORK] as Buffer).subarray(0, size - position)
      const {bytesRead} = await handle.read(chunk, 0, chunk.length, position)
      if (bytesRead < chunk.length) {
        throw damaged(`${path} ends at ${position + bytesRead} bytes, and had ${size} before.`, {
          file: path,
          next: 'Run the command again when nothing writes to the directory.',
        })
      }

      hash.update(chunk)
      inWork.push(compress(compression, name, chunk))
      if (inWork.length === IN_WORK) await storeNext()
      onBytes?.(chunk.length)
    }

    while (inWork.length > 0) await storeNext()
  } finally {
    await Promise.allSettled(inWork)
    await handle.close()
  }

  await db.run('INSERT INTO hnsw_segment_files (filename, size, sha256) VALUES (?, ?, ?)', [
    name,
    size,
    hash.digest('hex'),
  ])
}
