import {inspectOutputFile, realFolder} from '@chops/core/change'
import {usage} from '@chops/core/errors'
import {readdir, realpath} from 'node:fs/promises'
import {basename, dirname, join, relative, resolve} from 'node:path'

export type ArchiveFormat = 'tar.gz' | 'tar.zst'
export type BackupFormat = 'directory' | ArchiveFormat

const ENDING = /\.(?:tar\.gz|tgz|tar\.zst|tzst)$/i

/** Where a backup goes. */
export interface Target {
  /** A file that would be overwritten. */
  exists: boolean
  format: BackupFormat
  /** Absolute, with symbolic links resolved. */
  path: string
}

/** The format of an archive of this name; undefined for a folder's. */
export function formatOf(target: string): ArchiveFormat | undefined {
  const ending = ENDING.exec(target)?.[0].toLowerCase()
  if (ending === undefined) return undefined
  return ending.endsWith('gz') ? 'tar.gz' : 'tar.zst'
}

/** The folder in which all entries of an archive of this name are. */
export function topFolderOf(target: string): string {
  return basename(target).replace(ENDING, '')
}

/**
 * Looks at where a backup is to go, before anything is written.
 *
 * @throws ChopsError `usage` for a place inside the directory, a folder that holds something, or a place in a folder that is not there
 */
export async function inspectTarget(output: string, persistDir: string): Promise<Target> {
  const format = formatOf(output)
  const parent = await realFolder(dirname(resolve(output)))
  const path = join(parent, basename(resolve(output)))
  if (!relative(await realpath(persistDir), path).startsWith('..')) {
    throw usage(`${output} lies in the directory that is to be backed up.`, {
      file: output,
      next: 'Name a place outside of it.',
    })
  }

  if (format) {
    const file = await inspectOutputFile(output, persistDir)
    return {...file, format}
  }

  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    if (error.code === 'ENOTDIR')
      throw usage(`${output} exists and is no folder.`, {file: output, next: NAME_ANOTHER})
    throw error
  })
  if (names.length > 0) throw usage(`${output} exists and is not empty.`, {file: output, next: NAME_ANOTHER})
  return {exists: false, format: 'directory', path}
}

const NAME_ANOTHER = 'Name a folder that does not exist yet, for example with the date in its name.'
