import {existsSync} from 'node:fs'
import {mkdir, rename, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** What takes long to make, and the last results. */
export const CACHE = fileURLToPath(new URL('../../node_modules/.cache/chops-bench/', import.meta.url))

/**
 * A folder of the cache, which `make` fills when it is not there yet. It gets its name only when it is complete, so an
 * interrupted run leaves nothing that looks finished.
 */
export async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, name)
  if (existsSync(folder)) return folder
  const partial = `${folder}.partial`
  await rm(partial, {force: true, recursive: true})
  await mkdir(partial, {recursive: true})
  await make(partial)
  await rename(partial, folder)
  return folder
}
