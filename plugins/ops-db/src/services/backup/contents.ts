import type {BigIntStats} from 'node:fs'

import {damaged} from '@chops/core/errors'
import {formatBytes} from '@chops/core/output'
import {isTrash} from '@chops/core/persist-dir'
import {lstat, readdir, realpath, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {MANIFEST} from './manifest.js'

/** A file or folder that goes into a backup. */
export interface Entry {
  /** Bytes that the disk gives for it; less than `bytes` when it has holes. */
  allocated: number
  bytes: number
  isFolder: boolean
  /** Of an index that is in use: a change while it is copied spoils the copy. */
  isIndex: boolean
  mode: number
  modified: Date
  /** In the backup: relative, with `/`. */
  path: string
  /** Where it is read. */
  source: string
  /** Differs between two looks when it was written in between. */
  state: string
}

export interface Contents {
  entries: Entry[]
  /** What is left out, each with the reason. */
  skipped: {path: string; reason: string}[]
}

export const DATABASE = 'chroma.sqlite3'

/** What SQLite needs beside a database only while somebody writes to it, which the lock keeps them from. */
const SIDECARS = ['-journal', '-shm', '-wal'].map((suffix) => `${DATABASE}${suffix}`)

/** POSIX counts `st_blocks` in units of 512 bytes whatever the file system's own block size. */
const STAT_BLOCK = 512

/** More holes than this would have to be read as zeros for minutes; only a runaway file has them. */
const MOST_HOLES = 64 * 1024 ** 3

/**
 * Lists what is in a persist directory: everything, but for what chops was about to remove, and for symbolic links and
 * special files, which are named in `skipped`. The folders of indexes in use are followed where they are links, as
 * Chroma follows them.
 *
 * @param segmentIds of all segments of the database
 * @param databaseFile where the bytes of chroma.sqlite3 are
 */
export async function listContents(
  persistDir: string,
  segmentIds: readonly string[],
  databaseFile: string,
): Promise<Contents> {
  const contents: Contents = {entries: [], skipped: []}
  const owned = new Set(segmentIds.map((id) => id.toLowerCase()))
  const visit = async (folder: string, prefix: string, isIndex: boolean): Promise<void> => {
    for (const name of (await readdir(folder)).sort()) {
      const path = `${prefix}${name}`
      if (prefix === '' && (SIDECARS.includes(name) || isTrash(name) || name === MANIFEST)) continue
      const isOwned = prefix === '' && owned.has(name.toLowerCase())
      const source = path === DATABASE ? databaseFile : join(folder, name)
      const look = path === DATABASE || isOwned ? stat : lstat
      const stats = await look(source, {bigint: true})
      if (stats.isDirectory()) {
        contents.entries.push(entryOf(stats, {isIndex: isOwned, path, source}))
        await visit(source, `${path}/`, isIndex || isOwned)
      } else if (stats.isFile()) {
        const entry = entryOf(stats, {isIndex, path, source})
        if (entry.bytes - entry.allocated > MOST_HOLES) throw runaway(entry)
        contents.entries.push(entry)
      } else {
        const reason = stats.isSymbolicLink() ? 'a symbolic link' : 'no regular file'
        contents.skipped.push({path, reason})
      }
    }
  }

  await visit(await realpath(persistDir), '', false)
  return contents
}

function entryOf(stats: BigIntStats, place: Pick<Entry, 'isIndex' | 'path' | 'source'>): Entry {
  const {blocks, ctimeNs, ino, mode, mtimeMs, mtimeNs, size} = stats
  return {
    ...place,
    allocated: Number(blocks) * STAT_BLOCK,
    bytes: stats.isDirectory() ? 0 : Number(size),
    isFolder: stats.isDirectory(),
    mode: Number(mode) & 0o777,
    modified: new Date(Number(mtimeMs)),
    state: [ino, size, mtimeNs, ctimeNs].join(':'),
  }
}

function runaway({allocated, bytes, source}: Entry): Error {
  return damaged(
    `${source} claims ${formatBytes(bytes)}, of which ${formatBytes(allocated)} are on the disk: an index that ran away.`,
    {file: source, next: 'Rebuild the index with "chops hnsw rebuild", then back up the directory.'},
  )
}
