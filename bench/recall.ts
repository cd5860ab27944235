import {rm} from 'node:fs/promises'
import {join} from 'node:path'

import {buildIndex, type BuildOptions} from '../core/src/hnsw/build/build-index.js'
import {choosePrecision} from '../core/src/hnsw/build/precision.js'
import {normalizeVectors} from '../core/src/hnsw/build/elements.js'
import {verifyIndex} from '../core/src/hnsw/build/verify-index.js'
import {temporaryFolder} from '../test/support/fixtures.js'
import {clusteredVectors} from './data/clusters.js'

const RECORDS = 20_000
const DIMENSION = 384
const SAMPLE = 500
const GOAL = 0.005

/** recall@10 at ef 100 of the graph that chops builds, and of one by hnswlib with the same parameters. */
export interface RecallResult {
  chops: number
  goal: number
  hnswlib: number
}

export async function measureRecall(): Promise<RecallResult> {
  const vectors = clusteredVectors(RECORDS, DIMENSION)
  const labels = Float64Array.from({length: RECORDS}, (_, i) => i + 1)
  const elements = {dimension: DIMENSION, labels, norms: normalizeVectors(vectors, DIMENSION), vectors}
  const recallOf = async (way: Pick<BuildOptions, 'engine' | 'precision'>): Promise<number> => {
    const folder = join(temporaryFolder(), 'index')
    await buildIndex({...way, M: 16, efConstruction: 100, elements, outDir: folder, space: 'cosine'})
    const {recall} = await verifyIndex({elements, folder, sample: SAMPLE, space: 'cosine'})
    await rm(folder, {recursive: true})
    return recall
  }

  return {
    chops: await recallOf({precision: await choosePrecision(elements, 'cosine')}),
    goal: GOAL,
    hnswlib: await recallOf({engine: 'hnswlib-node'}),
  }
}

export function recallText({chops, goal, hnswlib}: RecallResult): string {
  const verdict = chops >= hnswlib - goal ? 'met' : 'missed'
  return `recall@10 at ef 100, ${RECORDS} x ${DIMENSION}: chops ${chops.toFixed(4)}, hnswlib ${hnswlib.toFixed(4)}; at most ${goal} below: ${verdict}`
}
