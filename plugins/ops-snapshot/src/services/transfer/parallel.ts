/**
 * Works on the items of a stream, at most `limit` at a time; the next item is asked for only when there is room. The
 * first failure lets what is under way end, asks for no more, and is thrown.
 */
export async function inParallel<T>(
  items: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let failure: undefined | {error: unknown}
  try {
    for await (const item of items) {
      const task: Promise<void> = work(item)
        .catch((error: unknown) => {
          failure ??= {error}
        })
        .finally(() => running.delete(task))
      running.add(task)
      if (running.size >= limit) await Promise.race(running)
      if (failure) break
    }
  } finally {
    await Promise.all(running)
  }

  if (failure) throw failure.error
}
