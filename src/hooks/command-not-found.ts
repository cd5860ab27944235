import type {Hook} from '@oclif/core'

import {EXIT_CODE} from '@chops/core/command'
import {toJson} from '@chops/core/output'

import {nearestCommand} from '../lib/nearest-command.js'

/** Which package brings a group of commands. */
const PLUGIN_OF: Record<string, string> = {
  collection: '@chops/snapshot',
  db: '@chops/db',
  fts: '@chops/fts',
  hnsw: '@chops/hnsw',
  wal: '@chops/wal',
}

/** Suggests the nearest command, or names the plugin that brings the group. */
const hook: Hook.CommandNotFound = async function ({argv = [], config, id}) {
  const commands = config.commands
    .filter(({hidden}) => !hidden)
    .map((command) => command.id.replaceAll(':', ' '))
  const words = id.split(':')
  const [topic = ''] = words
  const plugin = PLUGIN_OF[topic]
  const nearest = nearestCommand(words, commands)
  const next =
    plugin && !config.plugins.has(plugin)
      ? `Install the plugin that brings it: chops plugins install ${plugin}.`
      : nearest
        ? `Did you mean chops ${nearest}?`
        : 'Run chops --help for the commands there are.'
  const message = `There is no command ${words.slice(0, 2).join(' ')}.`
  if (argv.includes('--json')) {
    const error = {code: 'usage', exitCode: EXIT_CODE.usage, message, next}
    process.stdout.write(`${toJson({error, warnings: []})}\n`)
  } else {
    process.stderr.write(`Error: ${message}\n  ${next}\n`)
  }

  this.exit(EXIT_CODE.usage)
}

export default hook
