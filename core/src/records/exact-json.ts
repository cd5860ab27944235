/** A string, in which anything may stand, or a number. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g
const INTEGER = /^-?\d+$/

/** How an integer passes through `JSON.parse`; nothing that Chroma writes has a key like this. */
const MARK = '\u0000integer'

/**
 * Parses JSON without what `JSON.parse` loses: an integer becomes a `bigint` with all its digits, and a number that is
 * written with a fraction or an exponent a `number`, also `2.0`. (From Node 22 a reviver could see the text.)
 *
 * @throws SyntaxError when it is not JSON
 */
export function parseExactJson(text: string): unknown {
  const marked = text.replaceAll(STRING_OR_NUMBER, (token) =>
    INTEGER.test(token) ? `{"\\u0000integer":"${token}"}` : token,
  )
  return unmark(JSON.parse(marked))
}

function unmark(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    // In place: an embedding is a long list of numbers that need nothing.
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      if (typeof item === 'object') value[i] = unmark(item)
    }

    return value
  }

  const integer: unknown = Reflect.get(value, MARK)
  if (typeof integer === 'string') return BigInt(integer)
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === 'object')
      Object.defineProperty(value, key, {
        configurable: true,
        enumerable: true,
        value: unmark(item),
        writable: true,
      })
  }

  return value
}
