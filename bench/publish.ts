import {writeFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'

import {plotOf} from './plot.js'
import {type RecallResult, recallText} from './recall.js'
import {tableOf} from './report.js'
import type {Row} from './results.js'

/** The machine that figures were taken on. */
export interface Machine {
  cores: number
  cpu: string
  /** The load average before the first run: what other work the figures may show. */
  load: number
  node: string
  system: string
}

export interface Results {
  date: string
  /** How each command compares with itself on fewer records. */
  growth: readonly Row[]
  machine: Machine
  recall: RecallResult | undefined
  rows: readonly Row[]
  shape: {dimension: number; records: number}
}

export function machineText({cores, cpu, load, node, system}: Machine): string {
  return `${cores} cores, ${cpu}, ${system}, Node ${node}; load average before: ${load.toFixed(2)}`
}

/** Writes the figures of a run into the documentation: the page, its picture, and the figures themselves. */
export async function publish(results: Results): Promise<void> {
  const {date, growth, machine, recall, rows} = results
  const place = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))
  const page = [
    '# Performance',
    '',
    '<!-- Written by `npm run bench -- --publish`. -->',
    '',
    'Times are compared within one run: each command takes turns with another one that does the same job, or the least that',
    'the job takes, and what counts is the ratio of the two in each round, as median (least..most). What each row measures',
    'stands in [bench/README.md](../bench/README.md), with how to repeat it. A goal that was missed is printed as missed.',
    '',
    '![Ratios of all rows](performance.svg)',
    '',
    `${date.slice(0, 10)}, ${machineText(machine)}.`,
    '',
    tableOf(rows),
    '',
    ...(recall ? [`${recallText(recall)}.`, ''] : []),
    ...(growth.length > 0 ? ['## How time and memory grow', '', tableOf(growth), ''] : []),
  ]
  await writeFile(place('docs/performance.md'), page.join('\n'))
  await writeFile(place('docs/performance.svg'), plotOf(rows))
  await writeFile(place('bench/results.json'), `${JSON.stringify(results, null, 2)}\n`)
}
