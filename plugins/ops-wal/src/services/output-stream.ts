import type {Writable} from 'node:stream'

import type {Write} from '@chops/core/change'

/**
 * Runs work that writes to a stream, each chunk when the stream has taken the one before.
 *
 * @param name of the stream, for errors
 * @returns undefined when the reader has gone, as `head` does when it has seen enough: no error, but a reason to stop
 */
export async function writeOutputStream<T>(
  stream: Writable,
  name: string,
  work: (write: Write) => Promise<T>,
): Promise<T | undefined> {
  // Each write reports its own error. oclif listens as well, and throws all but EPIPE where nobody can catch it.
  stream.removeAllListeners('error')
  stream.on('error', () => {})
  try {
    return await work((chunk) => writeChunk(stream, name, chunk))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return undefined
    throw error
  }
}

function writeChunk(stream: Writable, name: string, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => {
      // Errors of an open stream do not say which one it is.
      if (error) reject(Object.assign(error, {path: name}))
      else resolve()
    })
  })
}
