import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {IndexSource} from './source.js'

import {allEnded} from '../change/all-ended.js'
import {ChopsError} from '../errors.js'
import {buildIndex, type BuildOptions, type BuildShape, startEngine} from '../hnsw/build/build-index.js'
import type {Engine} from '../hnsw/build/engine.js'
import {syncIndex} from '../hnsw/build/index-files.js'
import {choosePrecision} from '../hnsw/build/precision.js'
import {verifyIndex, type VerifyOptions} from '../hnsw/build/verify-index.js'
import {
  emptyFolder,
  LOW_RECALL,
  readNewElements,
  relabel,
  stage,
  type StageOptions,
  writeMetadata,
  type WrittenSegment,
} from './write-segment.js'

/** It builds on one thread, and what it builds is what Chroma's engines would. */
const LAST_ENGINE = 'hnswlib-node'

/**
 * Builds the whole index anew into an empty folder: the vectors the ids own and the pending log, relabelled from 1 on
 * without gaps, with the parameters given. Vectors stay equal to the byte unless the space changes, see
 * `elementsForSpace`. The result is read back and verified; where its recall is low, the graph is built once more by the
 * reference library.
 *
 * @throws ChopsError `damaged` when a source or the new index is not sound
 */
export async function writeFullIndex(
  dir: PersistDir,
  source: IndexSource,
  parameters: HnswParameters,
  folder: string,
  options: StageOptions = {},
): Promise<WrittenSegment> {
  const {dimension, pending} = source
  const {constructionEf: efConstruction, m: M, space} = parameters
  const {threads} = options
  const count = pending.ids.idToLabel.size
  const shape = {count, dimension, efConstruction, M, space, threads}
  return withEngine(shape, options.signal, async (started) => {
    const {elements, ids} = relabel(await readNewElements(source, parameters, options), pending.ids)
    const build = {...stage('build', options), efConstruction, elements, M, outDir: folder, space, threads}
    const verify = {...stage('verify', options), elements, folder, space}
    const precision = await choosePrecision(elements, space, {signal: options.signal})
    const meanwhile = () => writeMetadata(dir, source, ids, folder)
    const {engine, verified} = await buildVerified({...build, meanwhile, precision, started}, verify)
    return {elements: count, engine, method: 'full', verified}
  })
}

/** Starts a library while `work` does what it can without it, and stops it in the end. */
async function withEngine<T>(
  shape: BuildShape,
  signal: AbortSignal | undefined,
  work: (started: Promise<Engine> | undefined) => Promise<T>,
): Promise<T> {
  // An index without elements needs no library.
  const started = shape.count > 0 ? startEngine(shape, signal) : undefined
  // Met when it is needed.
  started?.catch(() => {})
  try {
    return await work(started)
  } finally {
    await started?.then(
      (engine) => engine.stop(),
      () => {},
    )
  }
}

type Built = Pick<WrittenSegment, 'engine' | 'verified'>

/**
 * A recall that is low after the first build is that of the vectors, not of the precision in which they are compared: where
 * rounding matters, `choosePrecision` has said so. What the reference library makes of them is taken as it is.
 */
async function buildVerified(build: BuildOptions, verify: VerifyOptions): Promise<Built> {
  const first = await buildOnce(build, verify)
  if (first.verified.recall >= LOW_RECALL || first.engine === LAST_ENGINE) return first
  const {dimension, labels} = build.elements
  const last = {...build, engine: LAST_ENGINE, precision: 'f32'} as const
  return withEngine({...last, count: labels.length, dimension}, build.signal, async (started) => {
    if (!(await isInstalled(started))) return first
    await emptyFolder(build.outDir)
    return buildOnce({...last, started}, verify)
  })
}

async function buildOnce(build: BuildOptions, verify: VerifyOptions): Promise<Built> {
  const {engine} = await buildIndex(build)
  const verifying = verifyIndex({...verify, enough: LOW_RECALL})
  const [verified] = await allEnded([verifying, syncIndex(build.outDir)])
  return {engine, verified}
}

/** Whether the library could be loaded: both are optional. */
async function isInstalled(started: Promise<Engine> | undefined): Promise<boolean> {
  try {
    await started
    return true
  } catch (error) {
    if (error instanceof ChopsError && error.kind === 'usage') return false
    throw error
  }
}
