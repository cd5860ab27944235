import {escapeControls} from '../output/escape.js'
import {Pace} from './pace.js'
import {isRelayed, type Progress} from './progress.js'
import {relay} from './relay.js'

/** What runs inside a step and has a share of its own. */
export interface Part {
  title: string
  /** What it counts, in plural. */
  unit?: string
}

/** Says which step the work is at and how much of it, or of a part of it, is done, in its own unit. */
export type ReportStep<Step extends string> = (step: Step, done: number, total: number, part?: Part) => void

interface Waiting {
  reject: (error: unknown) => void
  resolve: () => void
}

/**
 * Runs work that reports its steps: in a terminal as a listr2 list on stderr, one line a step with the share that is
 * done and the time left; elsewhere as a plain line when a step begins. A step ends when a later one begins; steps the work passes over
 * are done at once.
 *
 * @param steps titles in their order
 * @param options with `units`: what a step counts, in plural, for those whose rate is worth saying
 */
export async function runSteps<Step extends string, T>(
  steps: Record<Step, string>,
  work: (report: ReportStep<Step>) => Promise<T>,
  {quiet, units = {}}: {quiet: boolean; units?: Partial<Record<Step, string>> | undefined},
): Promise<T> {
  if (isRelayed()) return work(relaySteps(steps, units))
  if (quiet) return work(() => {})
  if (!process.stderr.isTTY) return work(announce(steps))
  const {createTasks} = await import('./tasks.js')
  const order = Object.keys(steps) as Step[]
  const waiting = new Map<Step, Waiting>()
  const lines = new Map<Step, {title?: string}>()
  const paces = new Map<string, Pace>()
  let current = 0
  const finishUntil = (position: number): void => {
    while (current < position) {
      const step = order[current]
      current += 1
      if (step !== undefined) waiting.get(step)?.resolve()
    }
  }

  const running = work((step, done, total, part) => {
    finishUntil(order.indexOf(step))
    const line = lines.get(step)
    const title = escapeControls(part ? `${steps[step]}: ${part.title}` : steps[step])
    const pace = paces.get(title) ?? new Pace(part ? part.unit : units[step])
    paces.set(title, pace)
    const text = pace.text(done, total)
    if (line && process.stderr.isTTY) line.title = `${title} ${text}`
  })
  const settled = running.then(
    () => finishUntil(order.length),
    (error: unknown) => {
      const step = order[current]
      if (step !== undefined) waiting.get(step)?.reject(error)
    },
  )
  await createTasks(
    order.map((step, position) => ({
      async task(_: object, line: {title?: string}) {
        lines.set(step, line)
        if (position < current) return
        await new Promise<void>((resolve, reject) => {
          waiting.set(step, {reject, resolve})
          running.catch(reject)
        })
      },
      title: escapeControls(steps[step]),
    })),
  )
    .run()
    .catch(() => {})
  await settled
  return running
}

function relaySteps<Step extends string>(
  steps: Record<Step, string>,
  units: Partial<Record<Step, string>>,
): ReportStep<Step> {
  const relays = new Map<Step, Progress>()
  return (step, done, total) => {
    const report = relays.get(step) ?? relay(steps[step], units[step])
    relays.set(step, report)
    report(done, total)
  }
}

/** A log wants one line a step, and no listr2 to load. */
function announce<Step extends string>(steps: Record<Step, string>): ReportStep<Step> {
  let current: Step | undefined
  return (step) => {
    if (step !== current) process.stderr.write(`${escapeControls(steps[step])}\n`)
    current = step
  }
}
