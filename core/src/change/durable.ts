import {open} from 'node:fs/promises'

import {namingFile} from './file-writes.js'

/** Makes a file's content, or a folder's entries, survive a power cut. */
export async function fsyncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await namingFile(path, handle.sync())
  } finally {
    await handle.close()
  }
}
