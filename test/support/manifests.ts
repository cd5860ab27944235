import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What the tests need of a command in an oclif manifest. */
export interface CommandManifest {
  flags: Record<string, {aliases?: string[]; allowNo?: boolean; char?: string; name: string}>
  hidden?: boolean
}

/** The visible commands of the CLI and its plugins, by what a person types after `chops`. */
export function commandManifests(): Map<string, CommandManifest> {
  const folders = ['.', ...readdirSync(join(ROOT, 'plugins')).map((name) => `plugins/${name}`)]
  const entries = folders.flatMap((folder) => {
    const text = readFileSync(join(ROOT, folder, 'oclif.manifest.json'), 'utf8')
    const {commands} = JSON.parse(text) as {commands: Record<string, CommandManifest>}
    return Object.entries(commands)
  })
  return new Map(
    entries.filter(([, {hidden}]) => !hidden).map(([id, command]) => [id.replaceAll(':', ' '), command]),
  )
}
