import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {tmpdir} from 'node:os'
import {createInterface} from 'node:readline'
import {fileURLToPath} from 'node:url'

import type {Engine} from '../engines/support/engines.js'

import {ENVIRONMENT} from '../engines/support/judge.js'

const DRIVER = fileURLToPath(new URL('driver.py', import.meta.url))
const SECONDS_PER_ANSWER = 300
const SHOWN_LINES = 15

/** A real Chroma that serves the directory. */
export interface RunningEngine {
  /** @throws Error when the engine fails, dies or does not answer */
  ask<T>(request: object): Promise<T>
}

/** The engine failed, died or hangs: what it said, and the end of its stderr. */
export class EngineError extends Error {}

/** Lets the engine serve the directory for as long as `work` takes; afterwards nothing has it open any more. */
export async function withEngine<T>(
  {python, version}: Engine,
  persistDir: string,
  work: (engine: RunningEngine) => Promise<T>,
): Promise<T> {
  const child = spawn(python, [DRIVER, persistDir], {
    // Chroma up to 0.5 reads a .env of the working directory.
    cwd: tmpdir(),
    env: {...process.env, ...ENVIRONMENT},
  })
  const ended = once(child, 'close')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(-20_000)
  })
  child.stdin.on('error', () => {})
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]()
  const fail = (what: string): EngineError =>
    new EngineError(`Chroma ${version} ${what}\n${lastLines(stderr)}`)

  async function ask<Result>(request: object): Promise<Result> {
    child.stdin.write(`${JSON.stringify(request)}\n`)
    const timer = setTimeout(() => child.kill('SIGKILL'), SECONDS_PER_ANSWER * 1000)
    const line = await lines.next()
    clearTimeout(timer)
    const what = (request as {do: string}).do
    if (line.done) {
      const [code, signal] = (await ended) as [null | number, null | string]
      throw fail(`ended with ${signal ?? code} at "${what}"`)
    }

    const answer = JSON.parse(line.value) as {error: string} | {ok: Result}
    if ('error' in answer) throw fail(`fails at "${what}": ${answer.error}`)
    return answer.ok
  }

  try {
    return await work({ask})
  } finally {
    child.stdin.end()
    await ended
  }
}

function lastLines(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.includes('telemetry event'))
  return lines.slice(-SHOWN_LINES).join('\n')
}
