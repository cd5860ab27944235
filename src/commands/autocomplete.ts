import {ChopsCommand} from '@chops/core/command'
import * as Args from '@oclif/core/args'

import {BASH_SCRIPT} from '../lib/completion/bash.js'
import {ZSH_SCRIPT} from '../lib/completion/zsh.js'

const SCRIPTS = {bash: BASH_SCRIPT, zsh: ZSH_SCRIPT}

const HOW = `Add one line to the file that your shell reads when it starts:

  bash   echo 'source <(chops autocomplete bash)' >> ~/.bashrc
  zsh    echo 'source <(chops autocomplete zsh)' >> ~/.zshrc     (after compinit)

Then Tab completes commands, flags and values: names of collections, databases and tenants of the directory on the line.`

export interface Autocomplete {
  /** The completion script of the shell; null when none was named. */
  script: null | string
  shell: 'bash' | 'zsh' | null
}

export default class AutocompleteCommand extends ChopsCommand {
  static override args = {
    SHELL: Args.string({
      description: 'whose completion script to print',
      ignoreStdin: true,
      options: Object.keys(SCRIPTS),
    }),
  }

  static override description = `Prints the script that completes chops in a shell, or without SHELL how to set it up. The script asks chops at every Tab, so it need not be made anew after an update or when a plugin comes.

Values are completed too: the collections, databases and tenants of the directory on the line or of CHROMA_PERSIST_DIR, tokenizers, and every fixed choice.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Show how to set completion up:'},
    {
      command: '<%= config.bin %> <%= command.id %> bash',
      description: 'Print the script, which source <(...) reads:',
    },
  ]

  static override summary = 'Complete commands, flags and values in bash and zsh.'

  override async run(): Promise<Autocomplete> {
    const {args} = await this.parse(AutocompleteCommand)
    const shell = args.SHELL as Autocomplete['shell'] | undefined
    if (shell === undefined || shell === null) {
      this.log(...HOW.split('\n'))
      return {script: null, shell: null}
    }

    this.log(...SCRIPTS[shell].trimEnd().split('\n'))
    return {script: SCRIPTS[shell], shell}
  }
}
