import {statfs} from 'node:fs/promises'

import {damaged} from '../errors.js'
import {formatBytes} from '../output/format.js'

/** Room that is left free on top of an estimate. */
const MARGIN = 1.1

/**
 * Makes sure, before anything is written, that a folder's file system has room.
 *
 * @param bytes what is going to be written there
 * @throws ChopsError `damaged` that says what is needed and what is free
 */
export async function requireFreeSpace(folder: string, bytes: number, purpose: string): Promise<void> {
  const {bavail, bsize} = await statfs(folder)
  const free = bavail * bsize
  const needed = Math.ceil(bytes * MARGIN)
  if (needed <= free) return
  throw damaged(`${folder} has ${formatBytes(free)} free, and ${purpose} needs ${formatBytes(needed)}.`, {
    file: folder,
    next: 'Free some disk space and run the command again; nothing was changed.',
  })
}
