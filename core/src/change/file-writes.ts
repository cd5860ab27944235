import type {FileHandle} from 'node:fs/promises'

/** Puts the path into an error of an open file, which does not say which one it is. */
export async function namingFile<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw Object.assign(error as Error, {path})
  }
}

/**
 * Writes all of the bytes at a place of an open file: a disk that is full may take a part of them, and says so the next
 * time.
 */
export async function writeAt(
  handle: FileHandle,
  path: string,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const rest = bytes.length - written
    const {bytesWritten} = await namingFile(path, handle.write(bytes, written, rest, position + written))
    written += bytesWritten
  }
}
