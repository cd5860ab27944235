import {execFileSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

/**
 * Jazzer.js is libFuzzer for JavaScript. It is installed when somebody fuzzes, and not with the repository: 78 packages and
 * 30 MB that no test needs, in which the fuzzer itself is a binary for glibc 2.38 and newer.
 */
const PACKAGE = '@jazzer.js/core@4.0.0'
const OLDEST_GLIBC = [2, 38] as const

export const CACHE = fileURLToPath(new URL('../../node_modules/.cache/chops-fuzz/', import.meta.url))

/** Installs the fuzzer on first use and returns the script to run. */
export function installJazzer(): string {
  const cli = join(CACHE, 'node_modules/@jazzer.js/core/dist/cli.js')
  if (!existsSync(cli)) {
    console.error(`Installing ${PACKAGE} in ${CACHE}`)
    const options = ['--no-save', '--no-audit', '--no-fund', '--no-package-lock']
    execFileSync('npm', ['install', ...options, '--prefix', CACHE, PACKAGE], {stdio: 'inherit'})
  }

  return cli
}

/**
 * The command that runs Node where the fuzzer can be loaded: Node itself, or Node by the loader of a newer glibc, which
 * `CHOPS_GLIBC` names by its folder. Where there is neither, the reason.
 */
export function nodeForJazzer(): {command: string[]; reason?: string} {
  const folder = process.env.CHOPS_GLIBC
  if (folder !== undefined) {
    // The other libraries of Node, of which the system has a version that goes with a newer glibc.
    const libraries = `${folder}:/usr/lib/x86_64-linux-gnu`
    const loader = [join(folder, 'ld-linux-x86-64.so.2'), '--library-path', libraries]
    return {command: [...loader, process.execPath]}
  }

  const command = [process.execPath]
  const {header} = process.report.getReport() as {header: {glibcVersionRuntime?: string}}
  const glibc = header.glibcVersionRuntime
  const [major = 0, minor = 0] = (glibc ?? '').split('.').map(Number)
  if (glibc === undefined || major > OLDEST_GLIBC[0] || minor >= OLDEST_GLIBC[1]) return {command}
  const reason =
    `${PACKAGE} needs glibc ${OLDEST_GLIBC.join('.')}, and this is ${glibc}. Fuzz on a newer system, or unpack a newer ` +
    'libc6 package (dpkg-deb -x) and set CHOPS_GLIBC to the folder in it that holds ld-linux-x86-64.so.2.'
  return {command, reason}
}
