// `npm run coverage`: what the quick tests run, with all processes they start; the pages are in node_modules/.cache/coverage.
import {spawnSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {dirname, join, relative} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = (command, args) =>
  spawnSync('npx', [command, ...args], {cwd: root, stdio: 'inherit'}).status === 0

// What a command runs is dist/, what a test imports is src/: source maps make one of both.
const isBuilt = run('tsc', ['-b', '--inlineSourceMap'])
// Without scripts: the build before them would take the maps out again.
const isGreen = isBuilt && run('c8', ['npm', 'test', '--ignore-scripts'])
run('tsc', ['-b'])
printFolders()
process.exitCode = isGreen ? 0 : 1

function printFolders() {
  const summary = JSON.parse(
    readFileSync(join(root, 'node_modules/.cache/coverage/coverage-summary.json'), 'utf8'),
  )
  const folders = new Map()
  for (const [file, {branches, lines}] of Object.entries(summary)) {
    if (file === 'total') continue
    const name = dirname(relative(root, file))
    const sum = folders.get(name) ?? {branches: 0, branchesHit: 0, lines: 0, linesHit: 0}
    sum.branches += branches.total
    sum.branchesHit += branches.covered
    sum.lines += lines.total
    sum.linesHit += lines.covered
    folders.set(name, sum)
  }

  const percent = (hit, of) => (of === 0 ? '' : `${((100 * hit) / of).toFixed(1)} %`).padStart(8)
  console.log(`\n${'folder'.padEnd(36)}${'lines'.padStart(8)}${'branches'.padStart(10)}`)
  for (const [name, {branches, branchesHit, lines, linesHit}] of [...folders].sort())
    console.log(`${name.padEnd(36)}${percent(linesHit, lines)}  ${percent(branchesHit, branches)}`)
}
