import {spawn} from 'node:child_process'
import {fileURLToPath} from 'node:url'

const RUN = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

export interface CliResult {
  code: null | number
  signal: NodeJS.Signals | null
  stderr: string
  stdout: string
}

export interface CliOptions {
  env?: Record<string, string>
  /** Text for stdin, which is then closed; without it stdin is at its end from the start. */
  input?: string
}

/** Runs the real `chops` in a process of its own. */
export async function chops(args: string[], {env = {}, input}: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [RUN, ...args], {
    env: {...process.env, ...env},
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  child.stdin?.end(input)
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
  const {code, signal} = await new Promise<{code: null | number; signal: NodeJS.Signals | null}>(
    (resolve) => {
      if (child.exitCode !== null || child.signalCode !== null)
        resolve({code: child.exitCode, signal: child.signalCode})
      child.once('close', (code, signal) => resolve({code, signal}))
    },
  )
  return {code, signal, stderr, stdout}
}

/** Runs `chops ... --json` and returns the one document on stdout with the exit code. */
export async function chopsJson<T>(
  args: string[],
  options: CliOptions = {},
): Promise<{code: null | number; json: T}> {
  const {code, stdout} = await chops([...args, '--json'], options)
  return {code, json: JSON.parse(stdout) as T}
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}
