/** C0 and C1 controls and DEL, line and paragraph separators, and the marks that reorder text. */
const CONTROLS = /[\p{Cc}\u200E\u200F\u2028-\u202E\u2066-\u2069]/gu

/**
 * Makes text from a directory safe to show: control characters (terminal escapes, line breaks, bidirectional overrides)
 * come out as `\x1b` or `\u202e`. Names, ids and metadata may have been written by anyone.
 */
export function escapeControls(text: string): string {
  return text.replaceAll(CONTROLS, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x1_00 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}
