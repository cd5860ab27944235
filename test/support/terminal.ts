import {type ChildProcess, spawn, spawnSync} from 'node:child_process'
import {fileURLToPath} from 'node:url'
import {stripVTControlCharacters} from 'node:util'

/** The command that starts the real `chops`. */
export const RUN_CHOPS = [process.execPath, fileURLToPath(new URL('../../bin/run.js', import.meta.url))]

const PATIENCE_MS = 30_000

export interface TerminalOptions {
  columns?: number
  cwd?: string
  env?: Record<string, string | undefined>
}

/** Whether programs can be run under a pseudo-terminal here: `script` of util-linux does it. */
export const hasTerminal = /util-linux/.test(
  spawnSync('script', ['--version'], {encoding: 'utf8'}).stdout ?? '',
)

const open = new Set<ChildProcess>()

/** Ends what a failed test left running: for `afterEach`. */
export function closeTerminals(): void {
  for (const child of open) child.kill('SIGKILL')
}

/** A program in a pseudo-terminal: what it shows, and a keyboard. */
export class Terminal {
  /** Everything the program wrote, as it came. */
  raw = ''
  readonly ended: Promise<null | number>
  private readonly child: ChildProcess

  constructor(command: string[], {columns = 80, cwd, env = {}}: TerminalOptions = {}) {
    const line = command.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
    this.child = spawn('script', ['-qefc', `stty rows 24 cols ${columns}; exec ${line}`, '/dev/null'], {
      cwd,
      env: {...process.env, TERM: 'xterm-256color', ...env},
    })
    open.add(this.child)
    this.child.once('close', () => open.delete(this.child))
    // Decoded by the stream: a character may lie across two chunks.
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.raw += text
    })
    this.ended = new Promise((resolve) => {
      this.child.once('close', resolve)
    })
  }

  /** What the program wrote, without the control sequences. */
  get text(): string {
    return stripVTControlCharacters(this.raw).replaceAll('\r', '')
  }

  type(keys: string): void {
    this.child.stdin?.write(keys)
  }

  /** Waits until the text that came after `from` matches, and returns that text. */
  async shows(pattern: RegExp, from = 0): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      const text = this.text.slice(from)
      if (pattern.test(text)) return text
      if (Date.now() > deadline)
        throw new Error(`the terminal does not show ${String(pattern)} but:\n${text}`)
      await new Promise((resolve) => {
        setTimeout(resolve, 20)
      })
    }
  }
}
