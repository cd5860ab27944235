import {inUse} from '@chops/core/errors'
import {INDEX_FILES} from '@chops/core/persist-dir'
import {stat} from 'node:fs/promises'
import {join} from 'node:path'

export interface SourceFile {
  name: (typeof INDEX_FILES)[number]
  path: string
  size: number
}

/** The index files of a segment as they were at one moment. */
export interface SourceFiles {
  files: SourceFile[]
  folder: string
  /** Differs when a file was written in between. */
  state: string
}

/** Looks at the index files that a segment folder has: none before its collection was first written to. */
export async function inspectSourceFiles(folder: string): Promise<SourceFiles> {
  const files: SourceFile[] = []
  const states: string[] = []
  for (const name of INDEX_FILES) {
    const path = join(folder, name)
    const stats = await stat(path, {bigint: true}).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return
      throw error
    })
    if (!stats) continue
    files.push({name, path, size: Number(stats.size)})
    states.push([name, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':'))
  }

  return {files, folder, state: states.join(' ')}
}

/**
 * SQLite's lock does not keep Chroma from writing index files: it does so before it says so in SQLite.
 *
 * @throws ChopsError `in-use` when one of the files has changed since
 */
export async function requireUnchanged({folder, state}: SourceFiles): Promise<void> {
  const now = await inspectSourceFiles(folder)
  if (now.state === state) return
  throw inUse(`The index files in ${folder} changed while they were read.`, {
    file: folder,
    next: 'Run the command again when Chroma is not writing, or stop it.',
  })
}
