import {freemem} from 'node:os'

import {run} from './run.js'

const PIECE = 256 * 1024 * 1024
const FILL = `for (const kept = []; kept.length < Number(process.argv[1]); ) kept.push(Buffer.alloc(${PIECE}, 1))`

/**
 * Has a process fill memory and end. A virtual machine may give free memory back to its host, and gets it back page by page,
 * which takes as long again as copying the same bytes: whoever comes first would pay for that.
 *
 * @param bytes that the next command is going to need, page cache included; no more than half of what is free
 */
export async function touchMemory(bytes: number): Promise<void> {
  const pieces = Math.floor(Math.min(bytes, freemem() / 2) / PIECE)
  await run({args: ['-e', FILL, String(pieces)], file: process.execPath})
}
