import type {Command} from '@oclif/core/command'

import {escapeControls} from '@chops/core/output'

import {type Candidate, valuesOf, type Wanted} from './values.js'

/** How a shell goes on: with these values, or by itself with the names of folders or files. */
export interface Completion {
  kind: 'files' | 'folders' | 'values'
  /** What of the current word stays in front of each value: `--collection=`, or the names of a comma list so far. */
  prefix: string
  values: Candidate[]
}

type Line = Pick<Command.Cached, 'args' | 'description' | 'flags' | 'hidden' | 'id' | 'summary'>

/** The words after a command's name. */
interface Rest {
  /** Flags by long name with the value they have so far. */
  flags: Map<string, string>
  /** The flag whose value the current word is. */
  pending: string | undefined
  positionals: string[]
}

const NOTHING: Completion = {kind: 'values', prefix: '', values: []}

/**
 * Completes a command line.
 *
 * @param words the words after `chops`, without their quotes; the last one is the one to complete
 * @param commands what oclif knows of every command, plugins included
 */
export async function complete(
  words: string[],
  commands: readonly Line[],
  env: NodeJS.ProcessEnv,
): Promise<Completion> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const known = commands.filter(({hidden}) => !hidden)
  const next = nextWords(before, known)
  const command = commandOf(before, known)
  if (!command) return {...NOTHING, values: matching(current, next)}

  const rest = restOf(before.slice(command.id.split(':').length), command.flags)
  const directory = command.args.PERSIST_DIR ? (rest.positionals[0] ?? env.CHROMA_PERSIST_DIR) : undefined
  const valueOf = async (flag: string, prefix: string): Promise<Completion> => {
    const value = current.slice(prefix.length)
    return completeValue(value, prefix, {...wantedOf(command, flag), directory, env, flags: rest.flags})
  }

  if (rest.pending !== undefined) return valueOf(rest.pending, '')
  const [, flag] = /^--([^=]+)=/.exec(current) ?? []
  if (flag !== undefined) return valueOf(flag, `--${flag}=`)
  if (current.startsWith('-')) return {...NOTHING, values: matching(current, flagsOf(command, rest.flags))}
  const [name, arg] = Object.entries(command.args)[rest.positionals.length] ?? []
  if (name === 'PERSIST_DIR' && !(current === '' && env.CHROMA_PERSIST_DIR))
    return {...NOTHING, kind: 'folders'}
  if (arg && name !== 'PERSIST_DIR') {
    const wanted = {directory: undefined, env, flags: rest.flags, name: '', options: arg.options}
    if (arg.options) return completeValue(current, '', wanted)
    if (next.length === 0) return {...NOTHING, kind: 'files'}
  }

  return {...NOTHING, values: matching(current, [...next, ...flagsOf(command, rest.flags)])}
}

async function completeValue(
  value: string,
  prefix: string,
  wanted: Wanted & {delimiter?: string},
): Promise<Completion> {
  const {delimiter} = wanted
  const listed = delimiter === undefined ? 0 : value.lastIndexOf(delimiter) + 1
  const given = value.slice(0, listed).split(delimiter ?? '')
  const found = await valuesOf(wanted)
  if (found === 'files') return {...NOTHING, kind: 'files', prefix}
  return {
    kind: 'values',
    prefix: prefix + value.slice(0, listed),
    values: matching(value.slice(listed), found).filter((candidate) => !given.includes(candidate.value)),
  }
}

function matching(start: string, candidates: Candidate[]): Candidate[] {
  return candidates.filter(({value}) => value.startsWith(start))
}

/** The command with the longest name that the line begins with. */
function commandOf(before: string[], commands: readonly Line[]): Line | undefined {
  return commands
    .filter(({id}) => id.split(':').every((word, index) => before[index] === word))
    .sort((a, b) => b.id.length - a.id.length)[0]
}

/** The words that go on from the groups typed so far: `hnsw` has `info`, `rebuild` and `config`. */
function nextWords(before: string[], commands: readonly Line[]): Candidate[] {
  const found = new Map<string, Candidate>()
  for (const {description, id, summary} of commands) {
    const words = id.split(':')
    const word = words[before.length]
    if (word === undefined || before.some((typed, index) => typed !== words[index])) continue
    const isWhole = words.length === before.length + 1
    if (isWhole || !found.has(word)) {
      found.set(word, {value: word, ...(isWhole && oneLine(summary ?? description))})
    }
  }

  return [...found.values()].sort((a, b) => a.value.localeCompare(b.value))
}

function restOf(words: string[], flags: Line['flags']): Rest {
  const rest: Rest = {flags: new Map(), pending: undefined, positionals: []}
  for (const word of words) {
    if (rest.pending !== undefined) {
      rest.flags.set(rest.pending, word)
      rest.pending = undefined
    } else if (word.startsWith('-') && word !== '-') {
      const [, long, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
      const name = long ?? Object.values(flags).find(({char}) => char === word[1])?.name
      if (name === undefined) continue
      const inline = long === undefined ? word.slice(2) || undefined : value
      rest.flags.set(name, inline ?? '')
      if (inline === undefined && flags[name]?.type === 'option') rest.pending = name
    } else rest.positionals.push(word)
  }

  return rest
}

/** One line for a list: the first, without oclif's templates and what a terminal would obey. */
function oneLine(text: string | undefined): Pick<Candidate, 'description'> {
  const [first = ''] = (text ?? '').split('\n')
  return first === '' ? {} : {description: escapeControls(first.replaceAll('<%= config.bin %>', 'chops'))}
}

function flagsOf({flags}: Line, used: Map<string, string>): Candidate[] {
  return Object.values(flags)
    .filter((flag) => !flag.hidden && (!used.has(flag.name) || ('multiple' in flag && flag.multiple)))
    .flatMap((flag) => [
      {...oneLine(flag.summary ?? flag.description), value: `--${flag.name}`},
      ...(flag.type === 'boolean' && flag.allowNo
        ? [{...oneLine(flag.summary ?? flag.description), value: `--no-${flag.name}`}]
        : []),
    ])
}

function wantedOf(
  {flags}: Line,
  name: string,
): Pick<Wanted, 'name' | 'options'> & {delimiter?: string; isFile: boolean} {
  const flag = flags[name]
  const option = flag?.type === 'option' ? flag : undefined
  return {
    ...(option?.delimiter !== undefined && {delimiter: option.delimiter}),
    isFile: /FILE|FOLDER|DIR|PATH/.test(String(option?.helpValue ?? '')),
    name,
    options: option?.options,
  }
}
