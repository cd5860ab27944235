const SHOWN = 5

/** The first few, and how many more. */
export function listText(items: readonly string[]): string {
  const more = items.length - SHOWN
  return `${items.slice(0, SHOWN).join('; ')}${more > 0 ? ` and ${more} more` : ''}`
}
