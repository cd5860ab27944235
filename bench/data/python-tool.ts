import {execFile} from 'node:child_process'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'

import {CACHE} from './cache.js'

const PACKAGES = ['chromadb-ops==0.1.5', 'chromadb==0.6.3', 'click<8.2']

const call = promisify(execFile)

/**
 * The Python tool that chops takes after: the one that CHOPS_BENCH_PYTHON_TOOL names, else one in a virtual environment
 * of the cache, which is made and filled when it is not there.
 *
 * @returns its path, or why there is none
 */
export async function pythonTool(): Promise<{path: string} | {skipped: string}> {
  const named = process.env.CHOPS_BENCH_PYTHON_TOOL
  if (named) return {path: named}
  const environment = join(CACHE, 'python')
  const path = join(environment, 'bin', 'chops')
  if (await runs(path)) return {path}
  try {
    await rm(environment, {force: true, recursive: true})
    await call('python3', ['-m', 'venv', environment])
    await call(join(environment, 'bin', 'pip'), ['install', '--quiet', ...PACKAGES])
    await call(path, ['--help'])
    return {path}
  } catch (error) {
    await rm(environment, {force: true, recursive: true})
    const [cause] = String(error instanceof Error ? error.message : error).split('\n')
    return {skipped: `${PACKAGES.join(' ')} could not be installed (${cause})`}
  }
}

async function runs(path: string): Promise<boolean> {
  return call(path, ['--help']).then(
    () => true,
    () => false,
  )
}
