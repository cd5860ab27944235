/**
 * Whether recall drifts down when an index is repaired again and again: `npx tsx bench/repair-drift.ts [--records N]
 * [--dimension N] [--rounds N]`. Each round deletes a tenth of the elements, adds as many, and repairs; every fifth is held
 * against a fresh build of the same elements.
 */
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {parseArgs} from 'node:util'

import {buildIndex} from '../core/src/hnsw/build/build-index.js'
import {type IndexElements, normalizeVectors} from '../core/src/hnsw/build/elements.js'
import {loadGraph} from '../core/src/hnsw/graph.js'
import {readHeader} from '../core/src/hnsw/header.js'
import {NONE} from '../core/src/hnsw/repair/job.js'
import {repairIndex} from '../core/src/hnsw/repair/repair-index.js'
import {temporaryFolder} from '../test/support/fixtures.js'
import {clusteredVectors} from './data/clusters.js'
import {Random} from './data/random.js'
import {recallSample, recallsAt} from './recall-at.js'
import {readElements} from '../test/support/elements.js'

const EFS = [10, 50, 100]
/** Deleted and added in each round. */
const PERCENT = 10
const ROUNDS_BETWEEN = 5

const {values} = parseArgs({
  options: {
    dimension: {default: '384', type: 'string'},
    records: {default: '20000', type: 'string'},
    rounds: {default: '20', type: 'string'},
  },
})
const dimension = Number(values.dimension)
const records = Number(values.records)
const rounds = Number(values.rounds)
const build = {M: 16, efConstruction: 100, precision: 'bf16', space: 'cosine'} as const
const root = temporaryFolder()
const folder = (name: number | string) => join(root, `${name}`)

const perRound = Math.round((records * PERCENT) / 100)
const all = clusteredVectors(records + rounds * perRound, dimension)
const allNorms = normalizeVectors(all, dimension)
/** Numbers in `all` of the elements, in the order of their labels. */
let present = Uint32Array.from({length: records}, (_, i) => i)
await buildIndex({...build, elements: elementsOf(present), outDir: folder(0)})
const random = new Random(1)
for (let round = 1; round <= rounds; round++) {
  const header = await readHeader(folder(round - 1))
  const stored = await readElements(folder(round - 1), header, 'cosine')
  const survivors = [...stored.labels.keys()].filter(() => random.below(100) >= PERCENT)
  const firstNew = records + (round - 1) * perRound
  const added = Array.from({length: Math.min(perRound, records - survivors.length)}, (_, i) => firstNew + i)
  const oldPresent = present
  present = Uint32Array.from([
    ...survivors.map((at) => oldPresent[(stored.labels[at] as number) - 1] as number),
    ...added,
  ])
  const oldIds = Uint32Array.from([
    ...survivors.map((at) => stored.internalIds[at] as number),
    ...added.map(() => NONE),
  ])
  const elements = elementsOf(present)
  const old = await loadGraph(folder(round - 1), header)
  await repairIndex({efConstruction: 100, elements, old, oldIds, outDir: folder(round), space: 'cosine'})
  await rm(folder(round - 1), {recursive: true})
  if (round % ROUNDS_BETWEEN !== 0) continue
  await buildIndex({...build, elements, outDir: folder('fresh')})
  const sample = await recallSample(elements)
  const repaired = await recallsAt(sample, folder(round), EFS)
  const fresh = await recallsAt(sample, folder('fresh'), EFS)
  const recalls = EFS.map((ef, i) => `${repaired[i]?.toFixed(4)} (fresh ${fresh[i]?.toFixed(4)}) at ef ${ef}`)
  const links = [await linksOf(round), await linksOf('fresh')].map((mean) => mean.toFixed(1))
  console.log(`round ${round}: recall@10 ${recalls.join(', ')}; ${links.join(' and ')} links`)
  await rm(folder('fresh'), {recursive: true})
}

function elementsOf(numbers: Uint32Array): IndexElements {
  const vectors = new Float32Array(numbers.length * dimension)
  for (const [to, from] of numbers.entries())
    vectors.set(all.subarray(from * dimension, (from + 1) * dimension), to * dimension)
  return {
    dimension,
    labels: Float64Array.from(numbers.keys(), (i) => i + 1),
    norms: Float32Array.from(numbers, (number) => allNorms[number] as number),
    vectors,
  }
}

/** Mean number of links of level 0: what a search has to look at. */
async function linksOf(name: number | string): Promise<number> {
  const {level0Counts} = await loadGraph(folder(name), await readHeader(folder(name)))
  return level0Counts.reduce((sum, count) => sum + count, 0) / level0Counts.length
}
