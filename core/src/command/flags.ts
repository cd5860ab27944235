import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import type {Arg} from '@oclif/core/interfaces'

import {usage} from '../errors.js'
import {parseBytes} from '../output/format.js'

/** The environment variable that stands in for the first argument. */
export const PERSIST_DIR_VARIABLE = 'CHROMA_PERSIST_DIR'

/**
 * The first argument of every command. It may be left out: `ChopsCommand.parse` then chooses the directory, so that a
 * command always finds one, which is what the type says.
 */
export const persistDirArg = Args.string({
  defaultHelp: async () => `$${PERSIST_DIR_VARIABLE}, else asks in a terminal`,
  description: 'the folder Chroma was started with: the one that holds chroma.sqlite3',
  // stdin holds the answers to questions: `yes | chops ...`.
  ignoreStdin: true,
  async parse(input) {
    if (input !== '') return input
    // An unset variable of a script, which must not mean the folder the script happens to run in.
    throw usage('PERSIST_DIR is empty.', {next: 'Give the folder that holds chroma.sqlite3.'})
  },
}) as Arg<string>

/** `-d` and `--tenant`: needed only where the same name exists in several databases. */
export const placeFlags = {
  database: Flags.string({
    char: 'd',
    description: 'database of the collection [default: default_database, else the only one with that name]',
    helpValue: 'NAME',
  }),
  tenant: Flags.string({
    description: 'tenant of the collection [default: default_tenant, else the only one with that name]',
    helpValue: 'NAME',
  }),
}

/** `-c`, `-d` and `--tenant`: one collection. */
export const collectionFlags = {
  collection: Flags.string({
    char: 'c',
    description: 'name of the collection [default: asks in a terminal]',
    helpValue: 'NAME',
  }),
  ...placeFlags,
}

/** A flag that may be repeated and takes comma lists as well: `-s a,b -s c`. */
export const nameList = Flags.custom<string[]>({
  delimiter: ',',
  helpValue: 'NAME',
  multiple: true,
})

/** A flag that takes a share. */
export const shareFlag = Flags.custom<number>({
  helpValue: '0..1',
  async parse(input, _, {name}) {
    const share = input.trim() === '' ? Number.NaN : Number(input)
    if (share >= 0 && share <= 1) return share
    throw usage(`--${name} is a share from 0 to 1, not ${JSON.stringify(input)}.`)
  },
})

/** What a command takes whose memory grows with the index. */
export const memoryFlag = {
  'max-memory': Flags.custom<number>({
    description: 'memory that chops may take; it refuses what needs more [default: what is free]',
    helpValue: 'SIZE',
    async parse(input) {
      const bytes = parseBytes(input)
      if (bytes !== undefined) return bytes
      throw usage(`--max-memory takes a size such as 800MB or 4GB, not ${JSON.stringify(input)}.`)
    },
  })(),
}

/** What every command takes that changes something. */
export const changeFlags = {
  'dry-run': Flags.boolean({default: false, description: 'show what would be done, and change nothing'}),
  force: Flags.boolean({
    default: false,
    description: 'go on although another process has the directory open',
  }),
  yes: Flags.boolean({char: 'y', default: false, description: 'do not ask'}),
}
