import {escapeControls} from '../output/escape.js'

/** Reports how much of the work is done, in the work's own unit. */
export type Progress = (done: number, total: number) => void

/** What a command tells the one that runs it: the step it is at, and how much of that is done in the step's own unit. */
export interface ProgressMessage {
  done: number
  title: string
  total: number
  /** What the step counts, in plural. */
  unit?: string
}

/** Whether the process that started this one listens to `relay`: it then opened Node's channel between the two. */
export function isRelayed(): boolean {
  return process.connected === true
}

/** Whether the process that started this one listened to `relay`, and no longer does. */
export function isAbandoned(): boolean {
  return process.send !== undefined && !process.connected
}

/** The progress in a message of a process that `relay` may have sent; undefined for any other message. */
export function progressOf(message: unknown): ProgressMessage | undefined {
  const {done, title, total, unit} = (message ?? {}) as Record<string, unknown>
  if (typeof done !== 'number' || typeof title !== 'string' || typeof total !== 'number') return undefined
  return {done, title, total, ...(typeof unit === 'string' && {unit})}
}

/** Work shorter than this shows nothing, and does not pay for loading listr2. */
const PATIENCE_MS = 400

/**
 * Runs reading work under one listr2 line on stderr with the share that is done, the time left and, where the work names
 * the unit it counts, its rate.
 *
 * Nothing is shown off a terminal (a log wants results, not a spinner), with `quiet`, or when the work is quick.
 */
export async function withProgress<T>(
  title: string,
  work: (progress: Progress) => Promise<T>,
  {quiet, signal, unit}: {quiet: boolean; signal: AbortSignal; unit?: string | undefined},
): Promise<T> {
  if (isRelayed()) {
    const {relay} = await import('./relay.js')
    return work(relay(title, unit))
  }

  let show: Progress = () => {}
  const running = work((done, total) => show(done, total))
  if (quiet || !process.stderr.isTTY) return running
  const isQuick = await Promise.race([
    running.then(
      () => true,
      () => true,
    ),
    new Promise<false>((resolve) => {
      setTimeout(() => resolve(false), PATIENCE_MS).unref()
    }),
  ])
  if (isQuick || signal.aborted) return running
  const [{createTasks}, {Pace}] = await Promise.all([import('./tasks.js'), import('./pace.js')])
  const shown = escapeControls(title)
  await createTasks([
    {
      async task(_, line) {
        const pace = new Pace(unit)
        show = (done, total) => {
          line.title = `${shown} ${pace.text(done, total)}`
        }

        await running
      },
      title: shown,
    },
  ]).run()
  return running
}
