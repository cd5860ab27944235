/**
 * Waits for all, and fails with the first in their order that failed: a transaction cannot end while one of them goes on.
 */
export async function allEnded(parts: readonly Promise<unknown>[]): Promise<void> {
  for (const part of await Promise.allSettled(parts)) if (part.status === 'rejected') throw part.reason
}
