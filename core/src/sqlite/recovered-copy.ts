import {openSync, read, rmSync} from 'node:fs'
import {mkdtemp, open, rm, statfs} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, join} from 'node:path'
import {setTimeout} from 'node:timers/promises'
import {promisify} from 'node:util'

import {damaged} from '../errors.js'
import {inspectDatabaseFile} from './database-file.js'
import {closeBesideConnections} from './posix-locks.js'

const CHUNK_BYTES = 1 << 20
/** Above the resolution of a file's time stamps: a write within one tick of the look before it would go unseen. */
const SETTLE_MS = 50
/** What rolling back or checkpointing may need beside the copied bytes. */
const SLACK_BYTES = 1 << 20

export interface CopyOptions {
  /** Counts copied bytes. */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/** A private folder with a database and its sidecars. */
export interface RecoveredCopy {
  /** Of the files when they were copied. */
  fingerprint: string
  path: string
  remove: () => Promise<void>
}

const readDescriptor = promisify(read)
const folders = new Set<string>()

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, {force: true, recursive: true})
}

async function privateFolder(): Promise<string> {
  if (folders.size === 0) process.once('exit', removeFolders)
  const folder = await mkdtemp(join(tmpdir(), 'chops-'))
  folders.add(folder)
  return folder
}

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, {force: true, recursive: true})
  folders.delete(folder)
  if (folders.size === 0) process.off('exit', removeFolders)
}

function megabytes(bytes: bigint): string {
  return `${(Number(bytes) / 1e6).toFixed(1)} MB`
}

/** Says which step failed where the system refused it; everything else (an abort) stays as it is. */
function copyError(error: unknown, file: string): unknown {
  const {errno, message} = error as NodeJS.ErrnoException
  if (errno === undefined) return error
  return damaged(`${file} cannot be copied to ${tmpdir()} to read it: ${message}.`, {
    cause: error,
    file,
    next: 'Check the permissions of the files, or set TMPDIR to a folder that can be written.',
  })
}

async function requireSpace(needed: bigint, file: string): Promise<void> {
  const {bavail, bsize} = await statfs(tmpdir(), {bigint: true})
  const free = bavail * bsize
  if (free >= needed) return
  throw damaged(
    `${file} has unfinished writes, and the copy that it takes to read it (${megabytes(needed)}) ` +
      `does not fit into ${tmpdir()}, where ${megabytes(free)} are free.`,
    {file, next: 'Make room there, or set TMPDIR to a folder on a larger disk.'},
  )
}

async function copyFile(
  source: string,
  target: string,
  size: number,
  {onBytes, signal}: {onBytes: (bytes: number) => void; signal: AbortSignal | undefined},
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES))
  // No stream and no FileHandle: both close the descriptor by themselves, and with it SQLite's locks.
  const input = openSync(source, 'r')
  try {
    const output = await open(target, 'wx', 0o600)
    try {
      // A file that grows meanwhile is not followed beyond the size that there is room for.
      for (let position = 0; position < size;) {
        signal?.throwIfAborted()
        const length = Math.min(buffer.length, size - position)
        const {bytesRead} = await readDescriptor(input, buffer, 0, length, position)
        if (bytesRead === 0) return
        await output.writeFile(buffer.subarray(0, bytesRead))
        position += bytesRead
        onBytes(bytesRead)
      }
    } finally {
      await output.close()
    }
  } finally {
    closeBesideConnections(input)
  }
}

/**
 * Copies a database with its rollback journal and write-ahead log into a folder that only this user can read, under
 * the system's folder for temporary files, so that SQLite can recover it there. The folder goes with `remove`, or
 * when the process exits.
 *
 * Returns undefined when the files changed while they were copied. Fails with `damaged` when they cannot be copied or
 * do not fit.
 */
export async function copyForRecovery(
  file: string,
  {onProgress, signal}: CopyOptions,
): Promise<RecoveredCopy | undefined> {
  await setTimeout(SETTLE_MS)
  const found = inspectDatabaseFile(file)
  const parts = [
    {size: found.size, suffix: ''},
    {size: found.journal?.size ?? 0n, suffix: '-journal'},
    {size: found.wal?.size ?? 0n, suffix: '-wal'},
  ].filter(({size}) => size > 0n)
  const total = parts.reduce((sum, {size}) => sum + size, 0n)
  let folder: string | undefined
  try {
    // A checkpoint in the copy can add the log to the database before it removes it.
    await requireSpace(total + (found.wal?.size ?? 0n) + BigInt(SLACK_BYTES), file)
    folder = await privateFolder()
    const path = join(folder, basename(found.path))
    let done = 0
    const onBytes = (bytes: number): void => {
      done += bytes
      onProgress?.(done, Number(total))
    }

    for (const {size, suffix} of parts) {
      await copyFile(found.path + suffix, path + suffix, Number(size), {onBytes, signal})
    }

    if (inspectDatabaseFile(file).fingerprint === found.fingerprint) {
      const created = folder
      return {fingerprint: found.fingerprint, path, remove: () => removeFolder(created)}
    }

    await removeFolder(folder)
    return undefined
  } catch (error) {
    if (folder) await removeFolder(folder)
    throw copyError(error, file)
  }
}
