import {stat} from 'node:fs/promises'

/** Whether a path exists. What cannot be looked at (no permission, a failing disk) is an error, not an absence. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false
      throw error
    },
  )
}
