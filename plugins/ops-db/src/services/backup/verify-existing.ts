import {notFound, usage} from '@chops/core/errors'
import {stat} from 'node:fs/promises'
import {resolve} from 'node:path'

import {totalBytes} from './manifest.js'
import {type BackupFormat, formatOf} from './target.js'
import {verifyBackup} from './verify.js'

/** What is known of a backup that was verified. */
export interface VerifiedBackup {
  backup: string
  bytes: number
  chromaVersion: string
  createdAt: string
  files: number
  format: BackupFormat
  status: 'verified'
}

/**
 * Verifies a backup that was made at another time.
 *
 * @throws ChopsError `damaged` when it is not what was backed up, `usage` when it is no backup at all
 */
export async function verifyExisting(backup: string, signal?: AbortSignal): Promise<VerifiedBackup> {
  const stats = await stat(backup).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw notFound(`${backup} does not exist.`, {file: backup, next: 'Give a backup.'})
    throw error
  })
  const format = stats.isDirectory() ? 'directory' : formatOf(backup)
  if (format === undefined) {
    throw usage(`${backup} is neither a folder nor a .tar.gz or .tar.zst.`, {
      file: backup,
      next: 'Give a backup that "chops db backup" made.',
    })
  }

  const {chromaVersion, createdAt, files} = await verifyBackup(backup, {format, name: backup, signal})
  return {
    backup: resolve(backup),
    bytes: totalBytes(files),
    chromaVersion,
    createdAt,
    files: files.length,
    format,
    status: 'verified',
  }
}
