import {execFile} from 'node:child_process'
import {access, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

/** A virtual environment of Python. */
export interface Venv {
  folder: string
  /** Is there when the environment is complete. */
  marker: string
  python: string
}

const MARKER = '.chops-engine'
/** What pip says, before it concludes that there is no such package. */
const UNREACHABLE = /connection (broken|error)|new connection|name resolution|read timed out/i
const INSTALL_TIME = 15 * 60_000

const run = promisify(execFile)

/** Where an environment is, or is to be: below `CHOPS_ENGINES` or in `node_modules/.cache`. */
export function venvNamed(name: string): Venv {
  const below =
    process.env.CHOPS_ENGINES ??
    fileURLToPath(new URL('../../../node_modules/.cache/chops-engines/', import.meta.url))
  const folder = join(below, name)
  return {folder, marker: join(folder, MARKER), python: join(folder, 'bin', 'python')}
}

export async function isComplete({marker}: Venv): Promise<boolean> {
  return exists(marker)
}

/** Declares an environment to be complete. */
export async function complete({marker}: Venv): Promise<void> {
  await writeFile(marker, '')
}

/**
 * Makes an environment and installs packages into it; one that an interrupted run left is completed.
 *
 * @param packages as pip takes them
 * @returns what of the machine prevented it (python3, venv, the package registry)
 */
export async function install(
  {folder, python}: Venv,
  packages: readonly string[],
): Promise<string | undefined> {
  await mkdir(folder, {recursive: true})
  const venv = await failureOf('python3', ['-m', 'venv', folder])
  if (venv !== undefined) return `python3 cannot make a virtual environment: ${venv}`
  const options = ['--quiet', '--disable-pip-version-check', '--no-input', '--retries', '1']
  const pip = await failureOf(python, ['-m', 'pip', 'install', ...options, ...packages])
  return pip === undefined ? undefined : `pip cannot install ${packages.join(' ')}: ${pip}`
}

/** Undefined when the command succeeds, otherwise the line of its output that says most. */
async function failureOf(command: string, args: string[]): Promise<string | undefined> {
  try {
    await run(command, args, {timeout: INSTALL_TIME})
    return undefined
  } catch (error) {
    const {code, killed, stderr, stdout} = error as {
      code?: number | string
      killed?: boolean
      stderr?: string
      stdout?: string
    }
    if (code === 'ENOENT') return `${command} is not installed`
    if (killed) return `not done after ${INSTALL_TIME / 60_000} minutes`
    const lines = `${stdout ?? ''}\n${stderr ?? ''}`.split('\n').filter((line) => line.trim() !== '')
    if (lines.some((line) => UNREACHABLE.test(line))) return 'the package registry cannot be reached'
    return lines.findLast((line) => /error|not available/i.test(line)) ?? lines.at(-1) ?? `exit code ${code}`
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
