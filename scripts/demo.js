// `npm run demo`: shows chops on a directory that a real Chroma 1.5.9 wrote, unpacked to a temporary folder.
import {execFileSync, spawnSync} from 'node:child_process'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'chops-demo-'))
try {
  execFileSync('tar', ['xzf', join(root, 'test/fixtures/chroma-1.5.9.tar.gz'), '-C', folder])
  const persistDir = join(folder, 'chroma-1.5.9', 'persist')
  for (const args of [
    ['wal', 'info', persistDir],
    ['hnsw', 'info', persistDir, '--collection', 'churned', '--verbose'],
    ['db', 'info', persistDir, '--skip-collection-names', 'defaults,empty,inner_product,odd-name_1,wal_only'],
    ['hnsw', 'rebuild', persistDir, '--collection', 'churned', '--yes'],
    ['wal', 'commit', persistDir, '--yes'],
  ]) {
    console.log(`\n$ chops ${args.join(' ')}\n`)
    const {status} = spawnSync(process.execPath, [join(root, 'bin/run.js'), ...args], {stdio: 'inherit'})
    if (status !== 0) process.exitCode = status ?? 1
  }
} finally {
  rmSync(folder, {force: true, recursive: true})
}
