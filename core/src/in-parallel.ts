/**
 * Waits until all of this is done or has failed, and throws the first failure: when it returns, nothing of it goes on
 * writing to a folder that is to be removed.
 */
export async function inParallel(...work: Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(work)
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
