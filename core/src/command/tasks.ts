import {Listr, ListrLogger, type ListrTask, ProcessOutput} from 'listr2'

/**
 * A listr2 task list as chops runs it: on stderr, because stdout carries results only, and without listr2's own signal
 * handler, which would exit at once and skip every rollback.
 */
export function createTasks<Context extends object = object>(
  tasks: ListrTask<Context>[],
  {quiet = false}: {quiet?: boolean} = {},
): Listr<Context> {
  const logger = new ListrLogger({processOutput: new ProcessOutput(process.stderr, process.stderr)})
  return new Listr<Context>(tasks, {
    exitOnError: true,
    fallbackRenderer: 'simple',
    fallbackRendererCondition: () => !process.stderr.isTTY,
    fallbackRendererOptions: {logger},
    registerSignalListeners: false,
    rendererOptions: {logger},
    silentRendererCondition: quiet,
  }) as Listr<Context>
}
