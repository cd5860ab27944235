import {Random} from './random.js'

const VOCABULARY = 2000
const WORDS = 30
const LETTERS = 'abcdefghijklmnoprstuvw'

/**
 * Texts of 30 words, of 2000 that are as unequally common as those of a language.
 *
 * @yields one text
 */
export function* documents(count: number): Generator<string> {
  const random = new Random(7)
  const known = Array.from({length: VOCABULARY}, () => word(random))
  for (let i = 0; i < count; i++) {
    yield Array.from({length: WORDS}, () => known[rank(random)]).join(' ')
  }
}

function word(random: Random): string {
  return Array.from({length: 2 + random.below(8)}, () => LETTERS[random.below(LETTERS.length)]).join('')
}

/** From 0, the n-th about as often as 1/n (Zipf). */
function rank(random: Random): number {
  return Math.floor(VOCABULARY ** (random.u32() / 2 ** 32)) - 1
}
