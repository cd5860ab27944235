const NAMED = 5

/** The first few ids of records, for an error that concerns all of them. */
export function nameIds(ids: readonly string[]): string {
  const some = ids.slice(0, NAMED).map((id) => JSON.stringify(id))
  return `${some.join(', ')}${ids.length > NAMED ? ', ...' : ''}`
}

/** The ids that have one of these labels. */
export function idsOf(labels: ReadonlySet<number>, idToLabel: ReadonlyMap<string, number>): string[] {
  return [...idToLabel].filter(([, label]) => labels.has(label)).map(([id]) => id)
}
