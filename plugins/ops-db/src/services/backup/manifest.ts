import {damaged} from '@chops/core/errors'

/** The name of the list that makes a backup complete; Chroma takes no notice of it. */
export const MANIFEST = 'chops-backup.json'

/** One file of a backup. */
export interface BackedUpFile {
  bytes: number
  path: string
  /** In hexadecimal digits. */
  sha256: string
}

export interface Manifest {
  chromaVersion: string
  createdAt: string
  files: BackedUpFile[]
  format: 1
  /** The directory that was backed up. */
  persistDirectory: string
}

export function totalBytes(files: readonly Pick<BackedUpFile, 'bytes'>[]): number {
  return files.reduce((total, {bytes}) => total + bytes, 0)
}

export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`
}

/** @throws ChopsError `damaged` when it is no manifest */
export function parseManifest(text: string, backup: string): Manifest {
  try {
    const parsed: unknown = JSON.parse(text)
    if (isManifest(parsed)) return parsed
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }

  throw damaged(`${backup} is no complete backup: its ${MANIFEST} is damaged.`, {
    file: backup,
    next: 'Take another backup.',
  })
}

function isManifest(value: unknown): value is Manifest {
  const {chromaVersion, createdAt, files, format} = (value ?? {}) as Record<string, unknown>
  return (
    format === 1 &&
    typeof chromaVersion === 'string' &&
    typeof createdAt === 'string' &&
    Array.isArray(files) &&
    files.every((file) => {
      const {bytes, path, sha256} = (file ?? {}) as Record<string, unknown>
      return typeof bytes === 'number' && typeof path === 'string' && typeof sha256 === 'string'
    })
  )
}
