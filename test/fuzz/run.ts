// `npm run test:fuzz -- [--seconds 60] [target ...]`: fuzzes the parsers one after the other. See README.md.
import {spawnSync} from 'node:child_process'
import {mkdirSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {parseArgs} from 'node:util'

import {CACHE, installJazzer, nodeForJazzer} from './jazzer.js'
import {corpusFolder, dictionaryOf, TARGET_NAMES, targetFile} from './targets.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** One input may take this long; none should take a hundredth. */
const TIMEOUT_MS = 10_000
const MEMORY_MB = 1024
/** Longer inputs find nothing more in these formats, and slow the fuzzer down. */
const MOST_BYTES = 4096

const {positionals, values} = parseArgs({
  allowPositionals: true,
  options: {seconds: {default: '60', type: 'string'}},
})
const unknown = positionals.find((name) => !TARGET_NAMES.includes(name))
if (unknown !== undefined || !(Number(values.seconds) > 0)) {
  console.error(`usage: npm run test:fuzz -- [--seconds 60] [${TARGET_NAMES.join(' | ')}]...`)
  process.exit(2)
}

const {command, reason} = nodeForJazzer()
if (reason !== undefined) {
  console.error(reason)
  process.exit(2)
}

const [node = '', ...loader] = command
const jazzer = installJazzer()
const failed = (positionals.length > 0 ? positionals : TARGET_NAMES).filter((name) => !isClean(name))
if (failed.length > 0) {
  console.error(`\nSomething was found in ${failed.join(', ')}.`)
  process.exitCode = 1
}

/** Fuzzes one target; the inputs that led further are kept beside the fuzzer, and the next run goes on with them. */
function isClean(name: string): boolean {
  console.error(`\n== ${name}, ${values.seconds} s`)
  const grown = join(CACHE, 'corpus', name)
  const finds = join(CACHE, 'finds', name)
  for (const folder of [grown, finds]) mkdirSync(folder, {recursive: true})
  const instrumented = ['core/src/', 'plugins/'].flatMap((path) => ['--includes', path])
  const limits = [`-max_total_time=${values.seconds}`, `-max_len=${MOST_BYTES}`, `-rss_limit_mb=${MEMORY_MB}`]
  const dictionary = dictionaryOf(name)
  const {status} = spawnSync(
    node,
    [
      ...loader,
      '--import',
      'tsx',
      jazzer,
      // Jazzer appends .js to any other name, which tsx resolves to the .ts.
      targetFile(name).replace(/\.ts$/, '.js'),
      grown,
      corpusFolder(name),
      ...instrumented,
      '--timeout',
      `${TIMEOUT_MS}`,
      '--',
      ...limits,
      ...(dictionary === undefined ? [] : [`-dict=${dictionary}`]),
      `-artifact_prefix=${finds}/`,
      '-print_final_stats=1',
    ],
    {cwd: ROOT, stdio: 'inherit'},
  )
  const inputs = readdirSync(finds)
  for (const input of inputs) console.error(`found: ${join(finds, input)}`)
  return status === 0 && inputs.length === 0
}
