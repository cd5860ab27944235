import {type Places, readPlaces} from '@chops/core/catalog'
import {escapeControls} from '@chops/core/output'
import {homedir} from 'node:os'

export interface Candidate {
  description?: string
  value: string
}

/** The value to complete, and what the line says about it. */
export interface Wanted {
  /** The persist directory as it was typed, without quotes. */
  directory: string | undefined
  env: NodeJS.ProcessEnv
  flags: ReadonlyMap<string, string>
  isFile?: boolean
  /** Long name of the flag; a plugin's flags of these names are completed too. */
  name: string
  options: readonly string[] | undefined
}

/** The tokenizers of SQLite's FTS5, https://www.sqlite.org/fts5.html#tokenizers */
const TOKENIZERS = ['ascii', 'porter', 'trigram', 'unicode61']

/** Flags that take a name of the directory. */
const NAMES: Record<string, (places: Places, flags: ReadonlyMap<string, string>) => Candidate[]> = {
  collection: collectionNames,
  database: ({databases}, flags) =>
    unique(databases.filter(({tenant}) => tenant === (flags.get('tenant') ?? tenant)).map(({name}) => name)),
  skip: collectionNames,
  'skip-collection-names': collectionNames,
  tenant: ({tenants}) => unique(tenants),
}

/**
 * The values that a flag takes, or `files` when the shell has to go on with the names of files: for a flag that takes one,
 * and where the directory cannot be read. Names with control characters are left out: nothing may send them to a terminal.
 */
export async function valuesOf(wanted: Wanted): Promise<'files' | Candidate[]> {
  const {directory, env, flags, isFile, name, options} = wanted
  if (options) return unique([...options])
  if (isFile) return 'files'
  if (name === 'tokenizer') return unique(TOKENIZERS)
  const names = NAMES[name]
  if (!names) return []
  if (directory === undefined) return 'files'
  try {
    const places = await readPlaces(expandPath(directory, env))
    return names(places, flags).filter(({value}) => value === escapeControls(value))
  } catch {
    // There is nobody to tell, in the middle of a command line.
    return 'files'
  }
}

function collectionNames({collections}: Places, flags: ReadonlyMap<string, string>): Candidate[] {
  const candidates = new Map<string, Candidate>()
  for (const {database, name, tenant} of collections) {
    if (database !== (flags.get('database') ?? database) || tenant !== (flags.get('tenant') ?? tenant))
      continue
    const place = escapeControls(`${tenant}/${database}`)
    const found = candidates.get(name)
    candidates.set(name, {description: found ? `${found.description}, ${place}` : place, value: name})
  }

  return [...candidates.values()]
}

function unique(values: string[]): Candidate[] {
  return [...new Set(values)].map((value) => ({value}))
}

/** `~` and variables, which a shell expands only when it runs the line; nothing else of a line is ever evaluated. */
function expandPath(path: string, env: NodeJS.ProcessEnv): string {
  return path
    .replace(/^~(?=\/|$)/, env.HOME ?? homedir())
    .replaceAll(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (text, braced?: string, plain?: string) => env[braced ?? plain ?? ''] ?? text,
    )
}
