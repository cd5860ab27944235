import {allEnded, namingFile, readAhead, writeAt} from '@chops/core/change'
import type {Database} from '@chops/core/sqlite'

import {createHash} from 'node:crypto'
import {type FileHandle, open} from 'node:fs/promises'

import {SEAL_DDL} from './tables.js'

/** SHA-256 in bytes. */
const SEAL_BYTES = 32

/**
 * Reserves the last 32 bytes of the file for its seal, in the caller's transaction and after everything else: SQLite gives
 * a new table the next page of a file without free pages, and puts the first row at the end of it.
 */
export async function reserveSeal(db: Database): Promise<void> {
  await db.exec(SEAL_DDL)
  await db.run('INSERT INTO snapshot_seal (sha256) VALUES (?)', [new Uint8Array(SEAL_BYTES)])
}

/** Writes the SHA-256 of all bytes before it into the end of a closed file, which the disk takes meanwhile. */
export async function seal(file: string, signal?: AbortSignal): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const {size} = await handle.stat()
    const [{digest, end}] = await allEnded([
      readSeal(handle, size, signal),
      namingFile(file, handle.datasync()),
    ])
    if (!end.equals(Buffer.alloc(SEAL_BYTES)))
      throw new Error(`the last page of ${file} is not that of the seal`)
    await writeAt(handle, file, digest, size - SEAL_BYTES)
  } finally {
    await handle.close()
  }
}

/**
 * Whether the file ends in the SHA-256 of all bytes before: nothing in it has changed since it was written, not even what
 * SQLite does not read. To be called while no connection to the file is open.
 */
export async function isSealed(file: string, signal?: AbortSignal): Promise<boolean> {
  const handle = await open(file, 'r')
  try {
    const {size} = await handle.stat()
    if (size < SEAL_BYTES) return false
    const {digest, end} = await readSeal(handle, size, signal)
    return digest.equals(end)
  } finally {
    await handle.close()
  }
}

async function readSeal(
  handle: FileHandle,
  size: number,
  signal: AbortSignal | undefined,
): Promise<{digest: Buffer; end: Buffer}> {
  const hash = createHash('sha256')
  const content = size - SEAL_BYTES
  const read = async (buffer: Buffer, position: number): Promise<number> => {
    const {bytesRead} = await handle.read(buffer, 0, buffer.length, position)
    return bytesRead
  }

  for await (const chunk of readAhead(read, content)) {
    signal?.throwIfAborted()
    hash.update(chunk)
  }

  const end = Buffer.alloc(SEAL_BYTES)
  await handle.read(end, 0, SEAL_BYTES, content)
  return {digest: hash.digest(), end}
}
