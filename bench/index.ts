import {mkdir, writeFile} from 'node:fs/promises'
import {arch, cpus, loadavg, platform} from 'node:os'
import {join} from 'node:path'
import {parseArgs} from 'node:util'

import {measureChanging} from './changing.js'
import {CACHE} from './data/cache.js'
import {measureFloors} from './floors.js'
import {measureGrowth} from './growth.js'
import {measureLarge} from './large.js'
import {measureMoving} from './moving.js'
import {measurePushing} from './pushing.js'
import {machineText, publish, type Results} from './publish.js'
import {measureRecall, recallText} from './recall.js'
import {tableOf} from './report.js'
import type {Row} from './results.js'
import {measureSmall} from './small.js'
import {measureUpkeep} from './upkeep.js'

const {values} = parseArgs({
  options: {
    dimension: {default: '384', type: 'string'},
    only: {type: 'string'},
    publish: {default: false, type: 'boolean'},
    records: {default: '1000000', type: 'string'},
  },
})
const shape = {dimension: positive('dimension'), records: positive('records')}

const [load = 0] = loadavg()
const parts: Record<string, () => Promise<Row[]>> = {
  small: measureSmall,
  large: () => measureLarge(shape),
  floors: () => measureFloors(shape),
  changing: measureChanging,
  moving: measureMoving,
  pushing: measurePushing,
  upkeep: measureUpkeep,
}
const wanted = values.only?.split(',') ?? [...Object.keys(parts), 'growth']
const rows: Row[] = []
for (const name of wanted.filter((part) => part !== 'growth')) {
  const measure = parts[name]
  if (!measure) throw new TypeError(`--only takes ${Object.keys(parts).join(', ')}, growth, not ${name}`)
  rows.push(...(await measure()))
}

const growth = wanted.includes('growth') ? await measureGrowth() : []
const recall = wanted.includes('changing') ? await measureRecall() : undefined
const machine = {
  cores: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  load,
  node: process.version,
  system: `${platform()} ${arch()}`,
}
const results: Results = {date: new Date().toISOString(), growth, machine, recall, rows, shape}
console.log(tableOf(rows))
if (growth.length > 0) console.log(`\n${tableOf(growth)}`)
if (recall) console.log(`\n${recallText(recall)}`)
const file = join(CACHE, 'results.json')
await mkdir(CACHE, {recursive: true})
await writeFile(file, `${JSON.stringify(results, null, 2)}\n`)
console.log(`\n${machineText(machine)}\n${file}`)
if (values.publish) await publish(results)

function positive(name: 'dimension' | 'records'): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value > 0) return value
  throw new TypeError(`--${name} has to be a positive integer, not ${values[name]}`)
}
