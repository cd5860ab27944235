/**
 * What each command takes of memory on an index of 10 GB: `npx tsx bench/memory.ts [--records N] [--dimension N]`, best
 * under a limit of the system, as that of a container. 35 GB of disk. hnsw rebuild and wal commit need the vectors in
 * memory: they have to say so, and refuse.
 */
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {parseArgs} from 'node:util'

import {temporaryFolder} from '../test/support/fixtures.js'
import {chops} from './chops.js'
import {COLLECTION} from './data/database.js'
import {largeDirectory, largeDirectoryWithLog} from './data/large-directory.js'
import {type Command, run} from './run.js'

const LIMIT = '4GB'

const {values} = parseArgs({
  options: {dimension: {default: '1536', type: 'string'}, records: {default: '1600000', type: 'string'}},
})
const shape = {dimension: Number(values.dimension), records: Number(values.records)}
const applied = await largeDirectory(shape)
const pending = await largeDirectoryWithLog(shape, 1000)
const folder = temporaryFolder()
const [snapshot, restored, backup, log] = ['bench.snapshot', 'restored', 'backup', 'log.jsonl'].map((name) =>
  join(folder, name),
) as [string, string, string, string]
const collection = ['--collection', COLLECTION]

await measure('db info', chops('db', 'info', applied))
await measure('db check', chops('db', 'check', applied))
await measure('db report', chops('db', 'report', applied, '--output', join(folder, 'report.html')))
await measure('hnsw info -v', chops('hnsw', 'info', applied, ...collection, '--verbose'))
await measure('collection list', chops('collection', 'list', applied))
await measure('wal info', chops('wal', 'info', pending))
await measure('wal export', chops('wal', 'export', pending, '--out', log))
await measure('wal clean --dry-run', chops('wal', 'clean', pending, '--dry-run'))
await refuses(
  'hnsw rebuild',
  chops('hnsw', 'rebuild', pending, ...collection, '--yes', '--max-memory', LIMIT),
)
await refuses('wal commit', chops('wal', 'commit', pending, '--yes', '--max-memory', LIMIT))
await measure('maintain', chops('maintain', applied, '--yes', '--max-memory', LIMIT))
await measure('db backup', chops('db', 'backup', applied, '--output', backup))
await rm(backup, {recursive: true})
await measure(
  'collection snapshot',
  chops('collection', 'snapshot', applied, ...collection, '--output', snapshot, '--compress', 'none'),
)
await measure('collection verify', chops('collection', 'verify', snapshot))
await measure('collection restore', chops('collection', 'restore', restored, '--input', snapshot, '--yes'))

async function measure(name: string, command: Command): Promise<void> {
  const {peakMemory = Number.NaN, seconds} = await run(command, 'with children')
  console.log(`${name}: ${Math.round(peakMemory / 1e6)} MB, ${seconds.toFixed(1)} s`)
}

async function refuses(name: string, command: Command): Promise<void> {
  const refusal = await run(command).then(() => 'it did not refuse', String)
  const reason = /Error: (.*memory.*)/.exec(refusal.split('failed')[1] ?? '')?.[1]
  if (reason === undefined) throw new Error(`${name}: ${refusal}`)
  console.log(`${name}: ${reason}`)
}
