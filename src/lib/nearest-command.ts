import {distance} from 'fastest-levenshtein'

/** More wrong letters than this, and the suggestion would be a guess. */
const MOST_WRONG = 3

/**
 * The command that was probably meant.
 *
 * @param words what was typed; the words after the command may be arguments
 * @param commands known commands, words separated by spaces
 */
export function nearestCommand(words: readonly string[], commands: readonly string[]): string | undefined {
  const ranked = commands
    .map((command) => ({
      command,
      wrong: distance(command, words.slice(0, command.split(' ').length).join(' ')),
    }))
    .sort((a, b) => a.wrong - b.wrong || a.command.localeCompare(b.command))
  const [best] = ranked
  return best && best.wrong <= MOST_WRONG ? best.command : undefined
}
