import {formatBytes, formatCount} from '../output/format.js'

/** Before this nothing is said about rate and time left: it would jump about. */
const SETTLING_MS = 2000

/**
 * Follows work that reports how much of it is done, and says so as a person reads it: `41 %, 3,210 records/s, 2 min left`.
 * Rate and time left are those of the work since the first report, so that what was done before counts for neither.
 */
export class Pace {
  private first: undefined | {at: number; done: number}

  /**
   * @param unit what the work counts, in plural; `bytes` are said as a size, and without a unit no rate is said
   * @param now a clock in milliseconds
   */
  constructor(
    private readonly unit?: string,
    private readonly now: () => number = () => performance.now(),
  ) {}

  text(done: number, total: number): string {
    const percent = `${Math.floor((100 * done) / Math.max(total, 1))} %`
    this.first ??= {at: this.now(), done}
    const elapsed = this.now() - this.first.at
    const rate = (done - this.first.done) / elapsed
    if (elapsed < SETTLING_MS || rate <= 0) return percent
    return `${percent}${this.speedText(1000 * rate)}, ${durationText((total - done) / rate)} left`
  }

  private speedText(perSecond: number): string {
    if (this.unit === undefined) return ''
    const amount = Math.round(perSecond)
    return this.unit === 'bytes' ? `, ${formatBytes(amount)}/s` : `, ${formatCount(amount)} ${this.unit}/s`
  }
}

function durationText(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000)
  if (seconds < 100) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
