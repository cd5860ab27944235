import {fsyncPath, writeAt} from '@chops/core/change'
import {type FileHandle, mkdir, open, utimes} from 'node:fs/promises'
import {join} from 'node:path'

import type {Entry} from './contents.js'
import type {BackedUpFile} from './manifest.js'

import {readWhole} from './read-file.js'
import {WriteBehind} from './write-behind.js'

/** Holes are made of whole pieces of this size. */
const PIECE = 1 << 16
const ZEROS = Buffer.alloc(PIECE)

/** Copies an entry to its place below a folder; what has holes keeps them. */
export async function copyTo(
  folder: string,
  entry: Entry,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<BackedUpFile | undefined> {
  const target = join(folder, entry.path)
  if (entry.isFolder) {
    await mkdir(target, {mode: entry.mode | 0o700})
    return undefined
  }

  const file = await open(target, 'wx', entry.mode)
  const isSparse = entry.allocated < entry.bytes
  const disk = new WriteBehind(file, target)
  try {
    const sha256 = await readWhole(
      entry,
      async (chunk, position) => {
        const write = isSparse ? writePieces : writeAt
        await write(file, target, chunk, position)
        await disk.wrote(chunk.length)
        onBytes(chunk.length)
      },
      signal,
    )
    if (isSparse) await file.truncate(entry.bytes)
    await disk.end()
    return {bytes: entry.bytes, path: entry.path, sha256}
  } finally {
    await file.close()
    await utimes(target, entry.modified, entry.modified).catch(() => {})
  }
}

/** Folders last, from the inside out: their own entries, and their times, which every file in them has changed. */
export async function finishFolders(folder: string, entries: readonly Entry[]): Promise<void> {
  for (const {isFolder, modified, path} of entries.toReversed()) {
    if (!isFolder) continue
    await utimes(join(folder, path), modified, modified)
    await fsyncPath(join(folder, path))
  }

  await fsyncPath(folder)
}

async function writePieces(file: FileHandle, target: string, chunk: Buffer, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; at += PIECE) {
    const piece = chunk.subarray(at, at + PIECE)
    if (piece.equals(ZEROS.subarray(0, piece.length))) continue
    await writeAt(file, target, piece, position + at)
  }
}
