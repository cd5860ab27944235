/**
 * Passes a report on only when so much time has passed since the last that was: what follows it, as drawing a line in a
 * terminal, would otherwise take more time than the work between two reports.
 *
 * @param interval in milliseconds
 */
export function atMostEvery(
  interval: number,
  report: (done: number, total: number) => void,
): (done: number, total: number) => void {
  let reportedAt = Number.NEGATIVE_INFINITY
  return (done, total) => {
    const now = performance.now()
    if (now - reportedAt < interval) return
    reportedAt = now
    report(done, total)
  }
}
