/**
 * Waits until all of this is done or has failed, and throws the first failure in the order of the parts: when it returns,
 * nothing of it goes on in a transaction that is to end, or in a folder that is to be removed.
 */
export async function allEnded<T extends readonly unknown[]>(
  parts: readonly [...T],
): Promise<{-readonly [Part in keyof T]: Awaited<T[Part]>}> {
  for (const end of await Promise.allSettled(parts)) if (end.status === 'rejected') throw end.reason
  return Promise.all<T>(parts as T)
}
