import type {Stats} from 'node:fs'
import {lstat, readdir, stat} from 'node:fs/promises'
import {join} from 'node:path'

/** Bytes of a file or folder: `apparent` is what `ls` shows, `allocated` what the disk gives for it (less when sparse). */
export interface Size {
  allocated: number
  apparent: number
}

/** POSIX counts `st_blocks` in units of 512 bytes whatever the file system's own block size. */
const STAT_BLOCK = 512

/**
 * Sums all files below `path`. A symbolic link that `path` itself is leads to what is meant; those below it are counted as
 * links, never followed. A missing path has size 0.
 */
export function sizeOf(path: string): Promise<Size> {
  return sumOf(path, stat)
}

async function sumOf(path: string, look: (path: string) => Promise<Stats>): Promise<Size> {
  const stats = await look(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return
    throw error
  })
  if (!stats) return {allocated: 0, apparent: 0}
  if (!stats.isDirectory()) return {allocated: stats.blocks * STAT_BLOCK, apparent: stats.size}
  const names = await readdir(path)
  const sizes = await Promise.all(names.map((name) => sumOf(join(path, name), lstat)))
  return {
    allocated: sizes.reduce((sum, size) => sum + size.allocated, 0),
    apparent: sizes.reduce((sum, size) => sum + size.apparent, 0),
  }
}
