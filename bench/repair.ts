/**
 * Repair beside a full build, of the same elements in the same run: `npx tsx bench/repair.ts [--records N]
 * [--dimension N] [--rounds N] [--vectors FILE]`. What is measured is the stage "build" of `hnsw rebuild`. The file has the
 * vectors one after the other as little-endian floats of 32 bits; without one they are generated, in clusters.
 */
import {readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {performance} from 'node:perf_hooks'
import {setTimeout as sleep} from 'node:timers/promises'
import {parseArgs} from 'node:util'

import {buildIndex, startEngine} from '../core/src/hnsw/build/build-index.js'
import {type IndexElements, normalizeVectors} from '../core/src/hnsw/build/elements.js'
import {loadGraph} from '../core/src/hnsw/graph.js'
import {readHeader} from '../core/src/hnsw/header.js'
import {repairIndex} from '../core/src/hnsw/repair/repair-index.js'
import {RepairTeam} from '../core/src/hnsw/repair/team.js'
import {temporaryFolder} from '../test/support/fixtures.js'
import {clusteredVectors} from './data/clusters.js'
import {Random} from './data/random.js'
import {recallSample, recallsAt} from './recall-at.js'
import {readElements} from '../test/support/elements.js'

const EFS = [10, 50, 100]
/** What a thread takes to start. */
const STARTING_MS = 100
/** Most that a repair wants to take of a full build, by the percentage of deleted elements. */
const GOALS = new Map([
  [5, 0.15],
  [15, 0.35],
  [30, 0.7],
])

const {values} = parseArgs({
  options: {
    dimension: {default: '384', type: 'string'},
    records: {default: '20000', type: 'string'},
    rounds: {default: '3', type: 'string'},
    vectors: {type: 'string'},
  },
})
const dimension = Number(values.dimension)
const records = Number(values.records)
const rounds = Number(values.rounds)
const build = {M: 16, efConstruction: 100, precision: 'bf16', space: 'cosine'} as const
const folder = (name: string) => join(root, name)
const root = temporaryFolder()

const vectors =
  values.vectors === undefined ? clusteredVectors(records, dimension) : await vectorsOf(values.vectors)
const labels = Float64Array.from({length: records}, (_, i) => i + 1)
const norms = normalizeVectors(vectors, dimension)
const given = {dimension, labels, norms, vectors}
const measured = new Map([...GOALS.keys()].map((percent) => [percent, newMeasurement()]))

for (let round = 0; round < rounds; round++) {
  // Threads leave another graph each time, with another recall.
  await timed('old', (outDir) => buildIndex({...build, elements: given, outDir}))
  const header = await readHeader(folder('old'))
  const stored = await readElements(folder('old'), header, 'cosine')
  for (const [percent, {ratios, recalls, seconds}] of measured) {
    const random = new Random(percent)
    const oldIds = Uint32Array.from(stored.labels.keys()).filter(() => random.below(100) >= percent)
    const elements = pick(stored, oldIds)
    // Threads and library start while a rebuild reads the elements, and in the same pass the old graph.
    const team = new RepairTeam(oldIds.length)
    const old = await loadGraph(folder('old'), header)
    await sleep(STARTING_MS)
    const repair = await timed('repair', (outDir) =>
      repairIndex({efConstruction: 100, elements, old, oldIds, outDir, space: 'cosine', team}),
    )
    const started = startEngine({...build, count: elements.labels.length, dimension})
    await started
    const full = await timed('full', (outDir) => buildIndex({...build, elements, outDir, started}))
    ratios.push(repair / full)
    seconds.push(`${repair.toFixed(2)} of ${full.toFixed(2)} s`)
    const sample = await recallSample(elements)
    const [repaired, fresh] = [
      await recallsAt(sample, folder('repair'), EFS),
      await recallsAt(sample, folder('full'), EFS),
    ]
    for (const [i, {fresh: allFresh, repaired: allRepaired}] of [...recalls.values()].entries()) {
      allRepaired.push(repaired[i] as number)
      allFresh.push(fresh[i] as number)
    }
  }
}

for (const [percent, {ratios, recalls, seconds}] of measured) {
  const ratio = ratios.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN
  const goal = GOALS.get(percent) ?? Number.NaN
  console.log(
    `${records} x ${dimension}, ${percent} % deleted: ${ratio.toFixed(2)} (goal ${goal}: ${ratio <= goal ? 'met' : 'missed'}; ${seconds.join(', ')})`,
  )
  for (const [ef, found] of recalls) {
    const [repaired, fresh] = [mean(found.repaired), mean(found.fresh)]
    const difference = (repaired - fresh).toFixed(4)
    console.log(
      `  recall@10 at ef ${ef}: ${repaired.toFixed(4)} repaired, ${fresh.toFixed(4)} built in full: ${difference}`,
    )
  }
}

function newMeasurement() {
  const recalls = new Map(EFS.map((ef) => [ef, {fresh: [] as number[], repaired: [] as number[]}]))
  return {ratios: [] as number[], recalls, seconds: [] as string[]}
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

async function vectorsOf(file: string): Promise<Float32Array> {
  const bytes = new Uint8Array(await readFile(file))
  if (bytes.length < 4 * records * dimension)
    throw new RangeError(`${file} has fewer than ${records} vectors of ${dimension} dimensions`)
  return new Float32Array(bytes.buffer, 0, records * dimension)
}

function pick(stored: IndexElements, ids: Uint32Array): IndexElements {
  const picked = new Float32Array(ids.length * dimension)
  for (const [to, from] of ids.entries())
    picked.set(stored.vectors.subarray(from * dimension, (from + 1) * dimension), to * dimension)
  return {
    dimension,
    labels: Float64Array.from(ids.keys(), (i) => i + 1),
    norms: Float32Array.from(ids, (id) => stored.norms?.[id] ?? 0),
    vectors: picked,
  }
}

async function timed(name: string, work: (outDir: string) => Promise<unknown>): Promise<number> {
  await rm(folder(name), {force: true, recursive: true})
  const start = performance.now()
  await work(folder(name))
  return (performance.now() - start) / 1000
}
