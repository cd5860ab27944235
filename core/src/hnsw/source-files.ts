import {stat} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {ChopsError, inUse} from '../errors.js'
import {INDEX_FILES} from '../persist-dir/segment-folders.js'

/** A process that writes index files has changed one of them within this time. */
const WRITING_MS = 300

const ATTEMPTS = 5

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

/**
 * Files that Chroma is writing look damaged until it is done with them: waits for what it may still write.
 *
 * @throws ChopsError `in-use` when one of the files has changed since
 */
export async function requireSettled(source: SourceFiles, signal?: AbortSignal): Promise<void> {
  await sleep(WRITING_MS, undefined, {signal})
  await requireUnchanged(source)
}

/**
 * Reads index files; where they look damaged, and Chroma is just writing them, they are read again.
 *
 * @throws ChopsError what `read` throws of files that stay as they are, `in-use` when they keep changing
 */
export async function readSettled<T>(
  folder: string,
  read: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const source = await inspectSourceFiles(folder)
    try {
      return await read()
    } catch (error) {
      if (!isOfKind(error, 'damaged')) throw error
      const change = await requireSettled(source, signal).catch((error: unknown) => error)
      if (change === undefined) throw error
      if (!isOfKind(change, 'in-use') || attempt === ATTEMPTS) throw change
    }
  }
}

function isOfKind(error: unknown, kind: ChopsError['kind']): boolean {
  return error instanceof ChopsError && error.kind === kind
}
