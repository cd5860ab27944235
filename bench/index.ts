import {mkdir, writeFile} from 'node:fs/promises'
import {arch, cpus, loadavg, platform} from 'node:os'
import {join} from 'node:path'
import {parseArgs} from 'node:util'

import {CACHE} from './data/cache.js'
import {measureLarge} from './large.js'
import {tableOf} from './report.js'
import {measureSmall} from './small.js'

const {values} = parseArgs({
  options: {dimension: {default: '384', type: 'string'}, records: {default: '1000000', type: 'string'}},
})
const shape = {dimension: positive('dimension'), records: positive('records')}

const [loadBefore = 0] = loadavg()
const rows = [...(await measureSmall()), ...(await measureLarge(shape))]
const machine = {
  cores: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  /** The load average before the first run: what other work the figures may show. */
  load: loadBefore,
  node: process.version,
  system: `${platform()} ${arch()}`,
}
console.log(tableOf(rows))
const file = join(CACHE, 'results.json')
await mkdir(CACHE, {recursive: true})
await writeFile(file, `${JSON.stringify({date: new Date().toISOString(), machine, rows, shape}, null, 2)}\n`)
const {cores, cpu, load, node, system} = machine
console.log(
  `\n${cores} cores, ${cpu}, ${system}, Node ${node}; load average before: ${load.toFixed(2)}\n${file}`,
)

function positive(name: 'dimension' | 'records'): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value > 0) return value
  throw new TypeError(`--${name} has to be a positive integer, not ${values[name]}`)
}
