import {execFile} from 'node:child_process'
import {access, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import type {Context} from 'mocha'

/** One release of every generation whose files chops writes; each reads or writes something in its own way. */
export const ENGINE_VERSIONS = ['0.4.24', '0.5.5', '0.5.23', '0.6.3', '1.0.16', '1.5.9'] as const

export type EngineVersion = (typeof ENGINE_VERSIONS)[number]

/** A real Chroma: an interpreter whose chromadb has the version. */
export interface Engine {
  python: string
  version: EngineVersion
}

/** The engine, or why this machine cannot have it. */
export type Installation = {engine: Engine} | {reason: string}

/** These came before NumPy 2 and do not import with it. */
const NEEDS_OLD_NUMPY: ReadonlySet<EngineVersion> = new Set(['0.4.24', '0.5.5'])
const MARKER = '.chops-engine'
/** What pip says, before it concludes that there is no such package. */
const UNREACHABLE = /connection (broken|error)|new connection|name resolution|read timed out/i
const INSTALL_TIME = 15 * 60_000
const AT_A_TIME = 2

const run = promisify(execFile)
const installations = new Map<EngineVersion, Promise<Installation>>()
const queue: (() => void)[] = []
let installing = 0

/**
 * Finds or makes the virtual environment of a Chroma release, below `CHOPS_ENGINES` or in `node_modules/.cache`.
 * A second call for a version waits for the first. Never throws for what a machine lacks (python3, venv, the
 * package registry): that comes back as a reason, for the suite to say what it left out.
 */
export async function installEngine(version: EngineVersion): Promise<Installation> {
  const installation = installations.get(version) ?? inTurn(() => findOrInstall(version))
  installations.set(version, installation)
  return installation
}

/** The engine that `setup.ts` found or installed, for a `before` hook; where there is none, skips the suite. */
export async function engineOrSkip(context: Context, version: EngineVersion): Promise<Engine> {
  const {engine, folder} = placeOf(version)
  if (await exists(join(folder, MARKER))) return engine
  console.warn(`Tests with Chroma ${version} are left out: it is not installed in ${folder}`)
  // eslint-disable-next-line mocha/no-skipped-tests -- what a machine lacks is said, not failed
  return context.skip()
}

function placeOf(version: EngineVersion): {engine: Engine; folder: string} {
  const folder = join(enginesFolder(), version)
  return {engine: {python: join(folder, 'bin', 'python'), version}, folder}
}

/** Two at a time: pip spends its time on one core, unpacking and compiling. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (installing >= AT_A_TIME) {
    await new Promise<void>((resolve) => {
      queue.push(resolve)
    })
  } else installing++

  try {
    return await work()
  } finally {
    // The place goes to the next in the queue, if there is one.
    const next = queue.shift()
    if (next) next()
    else installing--
  }
}

async function findOrInstall(version: EngineVersion): Promise<Installation> {
  const {engine, folder} = placeOf(version)
  const {python} = engine
  if (await exists(join(folder, MARKER))) return {engine}
  if ((await exists(python)) && (await versionOf(python)) === version) {
    await writeFile(join(folder, MARKER), '')
    return {engine}
  }

  return (await install(version, folder, python)) ?? {engine}
}

function enginesFolder(): string {
  return (
    process.env.CHOPS_ENGINES ??
    fileURLToPath(new URL('../../../node_modules/.cache/chops-engines/', import.meta.url))
  )
}

/** Makes the environment; returns what prevented it. One that an interrupted run left is completed. */
async function install(
  version: EngineVersion,
  folder: string,
  python: string,
): Promise<{reason: string} | undefined> {
  await mkdir(folder, {recursive: true})
  const venv = await failureOf('python3', ['-m', 'venv', folder])
  if (venv !== undefined) return {reason: `python3 cannot make a virtual environment: ${venv}`}
  const wanted = [`chromadb==${version}`, ...(NEEDS_OLD_NUMPY.has(version) ? ['numpy<2'] : [])]
  const options = ['--quiet', '--disable-pip-version-check', '--no-input', '--retries', '1']
  const pip = await failureOf(python, ['-m', 'pip', 'install', ...options, ...wanted])
  if (pip !== undefined) return {reason: `pip cannot install ${wanted.join(' ')}: ${pip}`}
  const found = await versionOf(python)
  if (found !== version) return {reason: `chromadb ${version} does not import in ${folder}`}
  await writeFile(join(folder, MARKER), '')
  return undefined
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

async function versionOf(python: string): Promise<string | undefined> {
  try {
    const {stdout} = await run(python, ['-c', 'import chromadb; print(chromadb.__version__)'], {
      timeout: 60_000,
    })
    return stdout.trim()
  } catch {
    return undefined
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
