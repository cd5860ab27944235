/** Marks the digits of a bigint inside the JSON text; U+0000 never survives `JSON.stringify` unescaped. */
const MARK = '\u0000'
const MARKED = /"\\u0000(-?\d+)\\u0000"/g

/** JSON with an indent of two; a `bigint` becomes a plain number with all its digits. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_, item: unknown) => (typeof item === 'bigint' ? `${MARK}${item}${MARK}` : item),
    2,
  )
  return text.replaceAll(MARKED, '$1')
}
