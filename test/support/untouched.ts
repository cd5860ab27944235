import {createHash} from 'node:crypto'
import {lstatSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

/** Names, sizes, modification times and contents of everything below a folder, to compare before and after. */
export function fingerprint(folder: string): string[] {
  return readdirSync(folder, {recursive: true, encoding: 'utf8'})
    .sort()
    .map((name) => {
      const path = join(folder, name)
      const stats = lstatSync(path)
      const digest = stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''
      return `${name} ${stats.size} ${stats.mtimeMs} ${digest}`
    })
}
