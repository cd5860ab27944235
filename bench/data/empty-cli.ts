import {Plugin} from '@oclif/core'
import {mkdir, symlink, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {temporaryFolder} from '../../test/support/fixtures.js'

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))

const PACKAGE = {
  name: 'empty',
  version: '1.0.0',
  type: 'module',
  bin: {empty: './bin/run.js'},
  dependencies: {'@oclif/core': '*'},
  oclif: {bin: 'empty', commands: './commands', dirname: 'empty'},
}

const FILES = {
  'bin/run.js': `import {execute} from '@oclif/core/execute'\n\nawait execute({dir: import.meta.url})\n`,
  'commands/nothing.js': `import {Command} from '@oclif/core/command'\n\nexport default class Nothing extends Command {\n  async run() {}\n}\n`,
  'package.json': JSON.stringify(PACKAGE),
}

/**
 * Makes an oclif CLI with one command, `nothing`, which starts as chops does: with a manifest, through the narrow entry
 * of the same @oclif/core. What it takes is what every oclif CLI takes at least.
 *
 * @returns the script that starts it
 */
export async function emptyCli(): Promise<string> {
  const root = temporaryFolder()
  for (const [name, content] of Object.entries(FILES)) {
    await mkdir(dirname(join(root, name)), {recursive: true})
    await writeFile(join(root, name), content)
  }

  await symlink(NODE_MODULES, join(root, 'node_modules'), 'dir')
  const plugin = new Plugin({
    errorOnManifestCreate: true,
    ignoreManifest: true,
    respectNoCacheDefault: true,
    root,
  })
  await plugin.load()
  await writeFile(join(root, 'oclif.manifest.json'), JSON.stringify(plugin.manifest))
  return join(root, 'bin/run.js')
}
