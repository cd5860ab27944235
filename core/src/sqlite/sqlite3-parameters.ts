import type {SqlValue} from './database.js'

/** A statement and parameters that the binding of the `sqlite3` package binds as they are. */
export interface Query {
  params: readonly SqlValue[]
  sql: string
}

/** String literals, quoted names and comments, which may hold a `?`, and the placeholders. */
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\/|\?/g

function isInteger(value: SqlValue | undefined): value is bigint | number {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}

function isInt32(value: bigint | number): boolean {
  return value >= -0x80_00_00_00 && value <= 0x7f_ff_ff_ff
}

/**
 * The binding knows integers of 32 bits only: it binds a larger number as REAL, and a bigint as NULL without a word.
 * So a bigint becomes a number where it fits, and what is wider goes into the SQL as a literal.
 */
export function bindable(sql: string, params: readonly SqlValue[]): Query {
  const numbers = params.map((value) => (typeof value === 'bigint' && isInt32(value) ? Number(value) : value))
  if (!numbers.some((value) => isInteger(value) && !isInt32(value))) return {params: numbers, sql}

  const bound: SqlValue[] = []
  let next = 0
  const inlined = sql.replaceAll(TOKEN, (token) => {
    const value = token === '?' ? numbers[next++] : undefined
    if (value === undefined) return token
    if (isInteger(value) && !isInt32(value)) {
      if (BigInt.asIntN(64, BigInt(value)) !== BigInt(value)) throw new RangeError(`${value} exceeds 64 bits`)
      return `(${value})`
    }

    bound.push(value)
    return token
  })
  return {params: [...bound, ...numbers.slice(next)], sql: inlined}
}
