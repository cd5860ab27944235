import {readAhead} from '@chops/core/change'
import {closeBesideConnections} from '@chops/core/sqlite'
import {createHash} from 'node:crypto'
import {openSync, read} from 'node:fs'
import {promisify} from 'node:util'

import type {Entry} from './contents.js'

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
  const descriptor = openSync(source, 'r')
  try {
    const read = async (buffer: Buffer, position: number): Promise<number> => {
      const {bytesRead} = await readDescriptor(descriptor, buffer, 0, buffer.length, position)
      if (bytesRead === 0) throw new FileShrank(source)
      return bytesRead
    }

    let position = 0
    for await (const chunk of readAhead(read, bytes)) {
      signal?.throwIfAborted()
      const taken = onChunk(chunk, position)
      hash.update(chunk)
      await taken
      position += chunk.length
    }

    return hash.digest('hex')
  } finally {
    closeBesideConnections(descriptor)
  }
}
