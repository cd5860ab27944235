import {type ProgressMessage, progressOf} from '@chops/core/command'
import {damaged} from '@chops/core/errors'
import {spawn} from 'node:child_process'
import {join} from 'node:path'
import type {Readable} from 'node:stream'
import {text} from 'node:stream/consumers'

/** What a command said with `--json`. */
export interface CommandOutcome {
  /** The one document of its standard output. */
  document: Record<string, unknown>
  exitCode: number
}

export interface RunOptions {
  onProgress?: ((progress: ProgressMessage) => void) | undefined
  /** Where the CLI lies: `config.root`. */
  root: string
  /** An abort interrupts the command, which then undoes what it began. */
  signal: AbortSignal
}

/**
 * Runs a chops command in a process of its own, by the JSON that every command promises. So oclif decides which plugin
 * answers, an interruption is the one the command knows how to end, and the memory of a step is gone when it is over.
 *
 * @throws ChopsError `damaged` when the process died without an answer
 */
export async function runCommand(
  words: string[],
  {onProgress, root, signal}: RunOptions,
): Promise<CommandOutcome> {
  const child = spawn(process.execPath, [join(root, 'bin', 'run.js'), ...words, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  child.on('message', (message) => {
    const progress = progressOf(message)
    if (progress) onProgress?.(progress)
  })
  // Not by a signal: the terminal may have sent one to the command too, and a second one does not wait.
  const interrupt = (): void => {
    if (child.connected) child.disconnect()
  }

  signal.addEventListener('abort', interrupt, {once: true})
  if (signal.aborted) interrupt()
  try {
    const [stdout, stderr, exitCode] = await Promise.all([
      text(child.stdout as Readable),
      text(child.stderr as Readable),
      new Promise<null | number>((resolve, reject) => {
        child.once('error', reject)
        // There is no `close` after a disconnect.
        child.once('exit', resolve)
      }),
    ])
    return {document: parse(stdout), exitCode: exitCode ?? killed(words, stderr)}
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}

function parse(json: string): Record<string, unknown> {
  return json === '' ? {} : (JSON.parse(json) as Record<string, unknown>)
}

function killed(words: string[], stderr: string): never {
  throw damaged(`chops ${words[0]} ${words[1]} was killed${stderr === '' ? '' : `: ${stderr.trim()}`}.`, {
    next: 'The machine may be out of memory; what the command had begun is undone when the directory is opened.',
  })
}
