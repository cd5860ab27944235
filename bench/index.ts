import {mkdir, writeFile} from 'node:fs/promises'
import {arch, cpus, loadavg, platform} from 'node:os'
import {join} from 'node:path'
import {parseArgs} from 'node:util'

import {measureChanging} from './changing.js'
import {CACHE} from './data/cache.js'
import {measureLarge} from './large.js'
import {measureMoving} from './moving.js'
import {measureRecall, recallText} from './recall.js'
import {tableOf} from './report.js'
import {measureSmall} from './small.js'

const {values} = parseArgs({
  options: {
    dimension: {default: '384', type: 'string'},
    only: {type: 'string'},
    records: {default: '1000000', type: 'string'},
  },
})
const shape = {dimension: positive('dimension'), records: positive('records')}

const [loadBefore = 0] = loadavg()
const parts = {
  changing: measureChanging,
  large: () => measureLarge(shape),
  moving: measureMoving,
  small: measureSmall,
}
const wanted = values.only?.split(',') ?? ['small', 'large', 'changing', 'moving']
const rows = []
for (const name of wanted) {
  if (!(name in parts)) throw new TypeError(`--only takes ${Object.keys(parts).join(', ')}, not ${name}`)
  rows.push(...(await parts[name as keyof typeof parts]()))
}

const recall = wanted.includes('changing') ? await measureRecall() : undefined
const machine = {
  cores: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  /** The load average before the first run: what other work the figures may show. */
  load: loadBefore,
  node: process.version,
  system: `${platform()} ${arch()}`,
}
console.log(tableOf(rows))
if (recall) console.log(`\n${recallText(recall)}`)
const file = join(CACHE, 'results.json')
await mkdir(CACHE, {recursive: true})
await writeFile(
  file,
  `${JSON.stringify({date: new Date().toISOString(), machine, recall, rows, shape}, null, 2)}\n`,
)
const {cores, cpu, load, node, system} = machine
console.log(
  `\n${cores} cores, ${cpu}, ${system}, Node ${node}; load average before: ${load.toFixed(2)}\n${file}`,
)

function positive(name: 'dimension' | 'records'): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value > 0) return value
  throw new TypeError(`--${name} has to be a positive integer, not ${values[name]}`)
}
