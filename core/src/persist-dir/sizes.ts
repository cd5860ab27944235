import {lstat, readdir} from 'node:fs/promises'
import {join} from 'node:path'

/** Bytes of a file or folder: `apparent` is what `ls` shows, `allocated` what the disk gives for it (less when sparse). */
export interface Size {
  allocated: number
  apparent: number
}

/** POSIX counts `st_blocks` in units of 512 bytes whatever the file system's own block size. */
const STAT_BLOCK = 512

/** Sums all files below `path`; symbolic links are counted as links, never followed. A missing path has size 0. */
export async function sizeOf(path: string): Promise<Size> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return
    throw error
  })
  if (!stats) return {allocated: 0, apparent: 0}
  if (!stats.isDirectory()) return {allocated: stats.blocks * STAT_BLOCK, apparent: stats.size}
  const names = await readdir(path)
  const sizes = await Promise.all(names.map((name) => sizeOf(join(path, name))))
  return {
    allocated: sizes.reduce((sum, size) => sum + size.allocated, 0),
    apparent: sizes.reduce((sum, size) => sum + size.apparent, 0),
  }
}
