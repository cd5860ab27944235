// Writes oclif.manifest.json for the CLI and every plugin, from what was just compiled: with it oclif starts by loading
// one command instead of all. The same as `oclif manifest` in each folder, in one process.
import {Plugin} from '@oclif/core'
import {readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const plugins = readdirSync(join(root, 'plugins')).map((name) => join(root, 'plugins', name))

for (const folder of [...plugins, root]) {
  const plugin = new Plugin({
    errorOnManifestCreate: true,
    ignoreManifest: true,
    respectNoCacheDefault: true,
    root: folder,
  })
  await plugin.load()
  writeFileSync(join(folder, 'oclif.manifest.json'), `${JSON.stringify(plugin.manifest, null, 2)}\n`)
}
