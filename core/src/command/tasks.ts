import {Listr, ListrLogger, type ListrTask, ProcessOutput} from 'listr2'

/**
 * A listr2 task list as chops runs it, in a terminal: on stderr, because stdout carries results only, and without
 * listr2's own signal handler, which would exit at once and skip every rollback.
 */
export function createTasks<Context extends object = object>(tasks: ListrTask<Context>[]): Listr<Context> {
  const logger = new ListrLogger({processOutput: new ProcessOutput(process.stderr, process.stderr)})
  return new Listr<Context>(tasks, {
    exitOnError: true,
    // listr2 looks at stdout alone, which may well be a pipe.
    fallbackRendererCondition: () => !process.stderr.isTTY,
    fallbackRendererOptions: {logger},
    registerSignalListeners: false,
    rendererOptions: {logger},
  }) as Listr<Context>
}
