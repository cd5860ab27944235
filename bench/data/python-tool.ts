import {execFile} from 'node:child_process'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'

import {CACHE} from './cache.js'

const PACKAGES = ['chromadb-ops==0.1.5', 'chromadb==0.6.3', 'click<8.2']

const call = promisify(execFile)

/** A program of a Python package, or why there is none. */
export type PythonProgram = {path: string} | {skipped: string}

/**
 * The Python tool that chops takes after: the one that CHOPS_BENCH_PYTHON_TOOL names, else one in a virtual environment
 * of the cache, which is made and filled when it is not there.
 */
export async function pythonTool(): Promise<PythonProgram> {
  const named = process.env.CHOPS_BENCH_PYTHON_TOOL
  return named ? {path: named} : installed('python', PACKAGES, 'chops')
}

/** The `chroma` command of Chroma 1.5.9, likewise; CHOPS_BENCH_CHROMA names another. */
export async function chromaWheel(): Promise<PythonProgram> {
  const named = process.env.CHOPS_BENCH_CHROMA
  return named ? {path: named} : installed('chroma', ['chromadb==1.5.9'], 'chroma')
}

async function installed(name: string, packages: readonly string[], program: string): Promise<PythonProgram> {
  const environment = join(CACHE, name)
  const path = join(environment, 'bin', program)
  if (await runs(path)) return {path}
  try {
    await rm(environment, {force: true, recursive: true})
    await call('python3', ['-m', 'venv', environment])
    await call(join(environment, 'bin', 'pip'), ['install', '--quiet', ...packages])
    await call(path, ['--help'])
    return {path}
  } catch (error) {
    await rm(environment, {force: true, recursive: true})
    const [cause] = String(error instanceof Error ? error.message : error).split('\n')
    return {skipped: `${packages.join(' ')} could not be installed (${cause})`}
  }
}

async function runs(path: string): Promise<boolean> {
  return call(path, ['--help']).then(
    () => true,
    () => false,
  )
}
