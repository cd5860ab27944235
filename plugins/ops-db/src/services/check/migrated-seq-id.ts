/** The digits that the migration takes from the hexadecimal text of a position (8 bytes). */
const HEX_DIGITS = 16

/**
 * The number that a migrated position was before, where Chroma's migration metadb 00005 ran over an INTEGER: it takes the
 * text of the number for the hexadecimal text of a BLOB, so each decimal digit became the byte of its ASCII character,
 * and what was missing in front became digits 1. The map is one to one.
 *
 * @returns undefined for a value that does not come from there
 */
export function decodeMigrated(value: bigint): number | undefined {
  const hex = value.toString(16).padStart(HEX_DIGITS, '0')
  const match = /^(?:11)*((?:3\d)+)$/.exec(hex)
  if (hex.length !== HEX_DIGITS || !match?.[1]) return undefined
  const digits = Buffer.from(match[1], 'hex').toString('latin1')
  return digits.startsWith('0') ? undefined : Number(digits)
}
