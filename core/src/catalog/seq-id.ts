/**
 * SQL that reads a seq id of any generation as text, exactly: INTEGER from 1.0, a big-endian BLOB (8 bytes, 24 in the
 * oldest) before. Text, because drivers differ on integers beyond 2^53, which a failed migration leaves behind.
 */
export function seqIdText(column: string): string {
  return `CASE typeof(${column}) WHEN 'blob' THEN 'x' || hex(${column}) ELSE CAST(${column} AS TEXT) END`
}

/**
 * Decodes what `seqIdText` selects. A value beyond 2^53 comes back as the nearest number: no log reaches it, it only has
 * to stay larger than every real one.
 *
 * @returns the seq id, or `undefined` when there is no row or the value is NULL
 */
export function decodeSeqId(text: null | string | undefined): number | undefined {
  if (text === null || text === undefined) return undefined
  return Number(text.startsWith('x') ? BigInt(`0${text}`) : text)
}
