import {rename, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {trashName} from '../persist-dir/leftovers.js'
import {fsyncPath} from './durable.js'

/**
 * Takes folders out of a persist directory, each in one step: it gets a hidden name that nothing takes for an index.
 * `emptyTrash` removes them; killed in between, `findLeftovers` finds them again.
 *
 * @param names of folders in the directory
 * @returns their names in the trash
 */
export async function moveToTrash(persistDir: string, names: readonly string[]): Promise<string[]> {
  for (const name of names) {
    const trash = join(persistDir, trashName(name))
    // Of an earlier folder of that name, whose removal was killed.
    await rm(trash, {force: true, recursive: true})
    await rename(join(persistDir, name), trash)
  }

  await fsyncPath(persistDir)
  return names.map((name) => trashName(name))
}

/** Removes what lies in the trash, without following symbolic links. */
export async function emptyTrash(persistDir: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(persistDir, name), {force: true, recursive: true})
}
