import {closeBesideConnections} from '@chops/core/sqlite'
import {createHash} from 'node:crypto'
import {openSync, read} from 'node:fs'
import {promisify} from 'node:util'

import type {Entry} from './contents.js'

const CHUNK = 1 << 20

const readDescriptor = promisify(read)

/** The file is shorter than it was when the backup began. */
export class FileShrank extends Error {}

/**
 * Hands on the bytes of a file, as many as it had when it was listed, and returns their SHA-256. The next bytes are read
 * while the last ones are taken.
 *
 * It may be chroma.sqlite3: its descriptor is closed only with the connection, which would lose its lock otherwise.
 *
 * @param onChunk has to be done with the bytes when it settles
 */
export async function readWhole(
  {bytes, source}: Pick<Entry, 'bytes' | 'source'>,
  onChunk: (chunk: Buffer, position: number) => Promise<void>,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  const buffers = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)] as const
  const descriptor = openSync(source, 'r')
  try {
    const readAt = async (position: number, buffer: Buffer): Promise<Buffer> => {
      const length = Math.min(CHUNK, bytes - position)
      if (length <= 0) return buffer.subarray(0, 0)
      const {bytesRead} = await readDescriptor(descriptor, buffer, 0, length, position)
      if (bytesRead === 0) throw new FileShrank(source)
      return buffer.subarray(0, bytesRead)
    }

    let chunk = await readAt(0, buffers[0])
    for (let position = 0, turn = 1; chunk.length > 0; turn ^= 1) {
      signal?.throwIfAborted()
      const next = readAt(position + chunk.length, turn === 1 ? buffers[1] : buffers[0])
      const taken = onChunk(chunk, position)
      hash.update(chunk)
      // Both settle before the descriptor is closed, whatever fails.
      const [, following] = await Promise.allSettled([taken, next])
      await taken
      position += chunk.length
      if (following.status === 'rejected') throw following.reason
      chunk = following.value
    }

    return hash.digest('hex')
  } finally {
    closeBesideConnections(descriptor)
  }
}
