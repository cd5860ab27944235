// Removes what was compiled from sources that are gone: a command left in dist would still be one, and be published.
import {existsSync, readdirSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folders = ['.', 'core', ...readdirSync(join(root, 'plugins')).map((name) => join('plugins', name))]

for (const folder of folders) {
  const dist = join(root, folder, 'dist')
  if (!existsSync(dist)) continue
  for (const entry of readdirSync(dist, {recursive: true, withFileTypes: true})) {
    const compiled = join(entry.parentPath, entry.name)
    const source = compiled.replace(dist, join(root, folder, 'src')).replace(/(\.d\.ts|\.js)$/, '.ts')
    if (source.endsWith('.ts') && !existsSync(source)) rmSync(compiled)
  }
}
