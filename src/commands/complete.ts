import {Command} from '@oclif/core/command'

import {bashAnswer} from '../lib/completion/bash.js'
import {complete} from '../lib/completion/complete.js'
import {type ShellWord, shellWords} from '../lib/completion/shell-words.js'
import {zshAnswer} from '../lib/completion/zsh.js'

/** What the completion scripts ask at every Tab. It parses nothing itself: the words are those of another command. */
export default class Complete extends Command {
  static override description = `The completion scripts of chops autocomplete call this command at every Tab. It answers with a line that says how to go on (values, folders or files), and with one line for each value. It reads nothing of a directory but the names of its collections, databases and tenants.`

  static override examples = [
    {
      command: "<%= config.bin %> <%= command.id %> zsh -- hnsw info ./chroma --collection ''",
      description: 'Show what zsh offers for a collection:',
    },
  ]

  static override hidden = true
  static override strict = false
  static override summary = 'Answer a completion script.'

  override async run(): Promise<void> {
    const [shell, , ...words] = this.argv
    const answer = shell === 'bash' ? await this.forBash(words) : await this.forZsh(words)
    process.stdout.write(`${answer.join('\n')}\n`)
  }

  /** bash hands over its line, where the cursor is in it (in bytes), and the piece of a word that a reply replaces. */
  private async forBash([line = '', point = '', piece = '']: string[]): Promise<string[]> {
    const start = Buffer.from(line).subarray(0, Number(point)).toString('utf8')
    const typed = shellWords(start)
    const name = typed.findIndex(({text}) => !/^\w+=/.test(text))
    const words = typed.slice(name + 1)
    const current = words.at(-1) as ShellWord
    const texts = words.map(({text}) => text)
    return bashAnswer(await complete(texts, this.config.commands, process.env), current, piece)
  }

  private async forZsh(words: string[]): Promise<string[]> {
    return zshAnswer(await complete(words, this.config.commands, process.env))
  }
}
