import {execFile} from 'node:child_process'
import {promisify} from 'node:util'

const call = promisify(execFile)

/**
 * Drops files from the page cache, and only them: other people's caches are no business of a benchmark. GNU dd does
 * that with posix_fadvise and needs no rights for it. What the disk or a hypervisor caches stays where it is.
 */
export async function dropFromCache(files: readonly string[]): Promise<void> {
  for (const file of files) await call('dd', [`if=${file}`, 'iflag=nocache', 'count=0'])
}

/** Whether `dropFromCache` works here: BSD's dd has no such flag. */
export async function canDropFromCache(file: string): Promise<boolean> {
  return dropFromCache([file]).then(
    () => true,
    () => false,
  )
}
