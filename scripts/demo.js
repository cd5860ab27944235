// `npm run demo`: a directory that a real Chroma 1.5.9 wrote, with more folders that deleted collections left behind, before
// and after chops looked after it.
import {execFile, execFileSync, spawnSync} from 'node:child_process'
import {randomUUID} from 'node:crypto'
import {cpSync, mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const cli = join(root, 'bin/run.js')
const call = promisify(execFile)

/** Runs a command as a person would see it. */
function show(...args) {
  console.log(`\n$ chops ${args.join(' ')}\n`)
  const {status} = spawnSync(process.execPath, [cli, ...args], {stdio: 'inherit'})
  if (status !== 0) process.exitCode = status ?? 1
}

/** What a command says with --json, whatever it found. */
async function ask(...args) {
  const {stdout} = await call(process.execPath, [cli, ...args, '--json']).catch((error) => error)
  return JSON.parse(stdout)
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0)
const kibibytes = (bytes) => `${(bytes / 1024).toFixed(1)}KiB`

/** The rows of the table at the end. */
async function measure(persistDir) {
  // One after the other: db check warns of another process that has the directory open.
  const info = await ask('db', 'info', persistDir)
  const log = await ask('wal', 'info', persistDir)
  const check = await ask('db', 'check', persistDir)
  const {C, E, I, W} = check.counts
  return {
    'Size of the directory': kibibytes(info.persistDirectorySize),
    'Size of chroma.sqlite3': kibibytes(info.systemDbSize),
    Records: sum(info.collections.map(({records}) => records)),
    'Folders that no collection owns': info.orphanHnswDirectories.length,
    'Worst fragmentation of an index': `${Math.max(...info.collections.map(({hnswSegment}) => hnswSegment?.fragmentationLevel ?? 0)).toFixed(1)} %`,
    'Vectors in the log alone': sum(check.ledger.map(({inLogOnly}) => inLogOnly ?? 0)),
    'Rows in the log': sum(log.topics.map(({count}) => count)),
    'Lost vectors': sum(check.ledger.map(({lost}) => lost ?? 0)),
    'Findings (critical, error, warning, note)': [C, E, W, I].join(', '),
  }
}

const folder = mkdtempSync(join(tmpdir(), 'chops-demo-'))
try {
  execFileSync('tar', ['xzf', join(root, 'test/fixtures/chroma-1.5.9.tar.gz'), '-C', folder])
  const persistDir = join(folder, 'chroma-1.5.9', 'persist')
  const {orphanHnswDirectories} = await ask('db', 'info', persistDir)
  for (const {path} of orphanHnswDirectories) {
    for (let copy = 0; copy < 20; copy++) cpSync(path, join(persistDir, randomUUID()), {recursive: true})
  }

  const before = await measure(persistDir)
  show('db', 'check', persistDir)
  show('maintain', persistDir, '--yes')
  const after = await measure(persistDir)
  console.log('\nThe same directory, before and after:\n')
  console.table(
    Object.fromEntries(Object.keys(before).map((what) => [what, {before: before[what], after: after[what]}])),
  )
} finally {
  rmSync(folder, {force: true, recursive: true})
}
