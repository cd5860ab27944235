import {usage} from '@chops/core/errors'
import * as Flags from '@oclif/core/flags'

/** What something new is to be called. */
export const newName = Flags.custom<string>({
  helpValue: 'NAME',
  async parse(input, _, {name}) {
    if (input !== '') return input
    // An unset variable of a script: no Chroma makes anything without a name, and hardly anybody finds it again.
    throw usage(`--${name} is empty.`, {next: 'Give a name, or leave the flag out.'})
  },
})

/** How `collection push` and `collection pull` reach a server and deal with it. */
export const serverFlags = {
  'batch-size': Flags.integer({
    description: 'records in one request, as far as the server takes as many [default: 1000]',
    helpValue: 'N',
    min: 1,
  }),
  header: Flags.string({
    description: 'header to send along, as "Name: value"; may be repeated',
    helpValue: 'HEADER',
    multiple: true,
    multipleNonGreedy: true,
  }),
  parallel: Flags.integer({
    default: 4,
    description: 'requests under way at once',
    helpValue: 'N',
    max: 32,
    min: 1,
  }),
  resume: Flags.boolean({default: false, description: 'go on with what was interrupted'}),
  'retry-for': Flags.integer({
    default: 60,
    description: 'how long to go on trying while the server does not answer, or answers with 429 or 5xx',
    helpValue: 'SECONDS',
    min: 0,
  }),
  token: Flags.string({
    description:
      'token of the server; other users of this machine see it in the list of processes, so rather set CHROMA_TOKEN',
    env: 'CHROMA_TOKEN',
    helpValue: 'TOKEN',
    noCacheDefault: true,
  }),
  url: Flags.string({
    description: 'address of the server, as http://localhost:8000',
    helpValue: 'URL',
    required: true,
  }),
}

/** Where the copy goes, if not to the same name, database and tenant. */
export const targetFlags = {
  as: newName({description: 'name of the copy [default: the same]'}),
  'to-database': newName({description: 'database of the copy [default: the same]'}),
  'to-tenant': newName({description: 'tenant of the copy [default: the same]'}),
}
