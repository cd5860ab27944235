/** Which quotes are open at the end of a line. */
export type Quote = '' | "'" | '"'

export interface ShellWord {
  quote: Quote
  /** As it was typed. */
  raw: string
  /** Without quotes and backslashes. */
  text: string
}

/**
 * Splits the line of one command into its words as a shell does, without expanding anything. The last word is the one
 * that the line ends in, which is empty after a space.
 */
export function shellWords(line: string): ShellWord[] {
  const words: ShellWord[] = []
  let word: ShellWord | undefined
  for (let index = 0; index < line.length; index++) {
    const character = line[index] ?? ''
    if (!word?.quote && /\s/.test(character)) {
      if (word) words.push(word)
      word = undefined
      continue
    }

    word ??= {quote: '', raw: '', text: ''}
    word.raw += character
    if (character === '\\' && word.quote !== "'") {
      const escaped = line[index + 1] ?? ''
      word.raw += escaped
      // Between double quotes a backslash escapes few characters and stays in front of all others.
      word.text += word.quote === '"' && !/["$\\`]/.test(escaped) ? `\\${escaped}` : escaped
      index += 1
    } else if (character === word.quote) word.quote = ''
    else if (!word.quote && (character === '"' || character === "'")) word.quote = character
    else word.text += character
  }

  return [...words, word ?? {quote: '', raw: '', text: ''}]
}

/** Writes text so that a shell reads it as it is, inside quotes that are open already or outside of any. */
export function quoteFor(quote: Quote, text: string): string {
  if (quote === "'") return text.replaceAll("'", String.raw`'\''`)
  if (quote === '"') return text.replaceAll(/["$\\`]/g, String.raw`\$&`)
  return text.replaceAll(/[^\p{L}\p{N}@%+=:,./_-]/gu, String.raw`\$&`)
}
