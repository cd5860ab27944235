import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import type {Context} from 'mocha'

import {complete, exists, install, isComplete, venvNamed} from './venv.js'

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
  const venv = venvNamed(version)
  if (await isComplete(venv)) return {python: venv.python, version}
  console.warn(`Tests with Chroma ${version} are left out: it is not installed in ${venv.folder}`)
  // eslint-disable-next-line mocha/no-skipped-tests -- what a machine lacks is said, not failed
  return context.skip()
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
  const venv = venvNamed(version)
  const {folder, python} = venv
  const engine = {python, version}
  if (await isComplete(venv)) return {engine}
  if (!(await exists(python)) || (await versionOf(python)) !== version) {
    const wanted = [`chromadb==${version}`, ...(NEEDS_OLD_NUMPY.has(version) ? ['numpy<2'] : [])]
    const reason = await install(venv, wanted)
    if (reason !== undefined) return {reason}
    if ((await versionOf(python)) !== version)
      return {reason: `chromadb ${version} does not import in ${folder}`}
  }

  await complete(venv)
  return {engine}
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
