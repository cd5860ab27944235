import {formatBytes, formatCount, type TableData} from '@chops/core/output'

import type {Backup} from '../services/backup/backup.js'
import type {VerifiedBackup} from '../services/backup/verify-existing.js'

const FORMAT: Record<Backup['format'], string> = {
  directory: 'folder',
  'tar.gz': 'tar archive, gzip',
  'tar.zst': 'tar archive, Zstandard',
}

export function backupTable({bytes, files, format, output, persistDirectory}: Backup): TableData {
  return {
    columns: ['Property', 'Value'],
    rows: [
      ['Persist Directory', persistDirectory],
      ['Files', `${formatCount(files)} (${formatBytes(bytes)})`],
      ['Output', `${output} (${FORMAT[format]})`],
    ],
    title: 'Backup',
  }
}

export function skippedText({path, reason}: Backup['skipped'][number]): string {
  return `${path} is left out: it is ${reason}.`
}

export function doneText({bytes, files, output, verified}: Backup): string {
  const check = verified ? ' Every file was read back and compared.' : ''
  return `Backed up ${formatCount(files)} files (${formatBytes(bytes)}) to ${output}.${check}`
}

export function verifiedText({backup, bytes, chromaVersion, createdAt, files}: VerifiedBackup): string {
  return (
    `${backup} is complete: ${formatCount(files)} files (${formatBytes(bytes)}), ` +
    `of Chroma ${chromaVersion}, made at ${createdAt}.`
  )
}
