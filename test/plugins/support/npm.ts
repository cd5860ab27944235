import {execFile} from 'node:child_process'
import {cpSync, existsSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

import {temporaryFolder} from '../../support/fixtures.js'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

const run = promisify(execFile)

export type Env = Record<string, string | undefined>

/** Runs npm and returns what it printed on stdout; on failure the error shows what it said. */
export async function npm(
  args: string[],
  {cwd = ROOT, env = {}}: {cwd?: string; env?: Env} = {},
): Promise<string> {
  const {stdout} = await run('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline'], {
    cwd,
    env: {...process.env, ...env},
    maxBuffer: 1 << 26,
  })
  return stdout
}

/** A CLI that was installed from a registry into an empty prefix, with a home of its own. */
export interface Installation {
  /** Folder of the package @chops/cli. */
  cli: string
  /** Where `chops plugins` puts what it installs. */
  data: string
  /** Runs `chops`. */
  chops: (...args: string[]) => Promise<{code: number; stderr: string; stdout: string}>
}

/** Installs the CLI without install scripts: native modules are not built (`lendNativeModules` does that quickly). */
export async function installCli(registryEnv: Env): Promise<Installation> {
  const prefix = temporaryFolder()
  const home = temporaryFolder()
  const env: Env = {
    ...registryEnv,
    CHROMA_PERSIST_DIR: '',
    HOME: home,
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    npm_config_cache: (await npm(['config', 'get', 'cache'])).trim(),
    npm_config_ignore_scripts: 'true',
    npm_config_prefer_offline: 'true',
  }
  await npm(['install', '--global', '--prefix', prefix, '@chops/cli'], {cwd: home, env})
  return {
    cli: join(prefix, 'lib/node_modules/@chops/cli'),
    data: join(home, 'data/chops'),
    async chops(...args) {
      try {
        const {stderr, stdout} = await run(process.execPath, [join(prefix, 'bin/chops'), ...args], {
          cwd: home,
          env: {...process.env, ...env},
        })
        return {code: 0, stderr, stdout}
      } catch (error) {
        const {code, stderr, stdout} = error as {code: number; stderr: string; stdout: string}
        return {code, stderr, stdout}
      }
    },
  }
}

/** Copies what this repository compiled into a node_modules folder that holds the same versions, instead of a compilation of minutes. */
export function lendNativeModules(modules: string): void {
  for (const [name, folder] of [
    ['sqlite3', 'build'],
    ['hnswlib-node', 'build'],
  ] as const) {
    const compiled = join(ROOT, 'node_modules', name, folder)
    if (existsSync(compiled) && existsSync(join(modules, name))) {
      cpSync(compiled, join(modules, name, folder), {recursive: true})
    }
  }
}
