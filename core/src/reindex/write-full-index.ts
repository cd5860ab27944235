import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {IndexSource} from './source.js'

import {allEnded} from '../change/all-ended.js'
import {ChopsError} from '../errors.js'
import {buildIndex, type BuildOptions, type BuildShape, startEngine} from '../hnsw/build/build-index.js'
import type {IndexElements} from '../hnsw/build/elements.js'
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

type Attempt = Pick<BuildOptions, 'engine' | 'precision'> & {enough: number}

/** How a graph is built, and again in the next way while its recall is below what the way before has to reach. */
async function attemptsFor(
  elements: IndexElements,
  {space}: HnswParameters,
  {signal}: StageOptions,
): Promise<Attempt[]> {
  const precision = await choosePrecision(elements, space, {signal})
  const last: Attempt[] = [
    {enough: LOW_RECALL, precision: 'f32'},
    {engine: LAST_ENGINE, enough: 0},
  ]
  return precision === 'f32' ? last : [{enough: 0.95, precision}, ...last]
}

/**
 * Builds the whole index anew into an empty folder: the vectors the ids own and the pending log, relabelled from 1 on
 * without gaps, with the parameters given. Vectors stay equal to the byte unless the space changes, see
 * `elementsForSpace`. The result is read back and verified; where its recall is low, the graph is built once more in a
 * slower way, at last by the reference library.
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
    const attempts = await attemptsFor(elements, parameters, options)
    const meanwhile = () => writeMetadata(dir, source, ids, folder)
    const {engine, verified} = await buildVerified(attempts, {...build, meanwhile, started}, verify)
    return {elements: count, engine, method: 'full', verified}
  })
}

/** Starts the library for the first attempt before `work` has read what it is to build from. */
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

/** Builds until the recall is enough; the last way is taken as it is, or the one before where its library is missing. */
async function buildVerified(
  attempts: readonly Attempt[],
  {started, ...build}: BuildOptions,
  verify: VerifyOptions,
): Promise<Built> {
  let built: Built | undefined
  for (const {enough, ...way} of attempts) {
    if (built && !(await isInstalled({...build, ...way}))) return built
    await emptyFolder(build.outDir)
    const {engine} = await buildIndex({...build, ...way, started: built ? undefined : started})
    const verifying = verifyIndex({...verify, enough})
    const [verified] = await allEnded([verifying, syncIndex(build.outDir)])
    built = {engine, verified}
    if (verified.recall >= enough || engine === LAST_ENGINE) return built
  }

  throw new Error('the last way to build is not enough')
}

/** Whether the library of an attempt can be loaded: both are optional. */
async function isInstalled(build: BuildOptions): Promise<boolean> {
  const {dimension, labels} = build.elements
  try {
    const engine = await startEngine({...build, count: labels.length, dimension}, build.signal)
    await engine.stop()
    return true
  } catch (error) {
    if (error instanceof ChopsError && error.kind === 'usage') return false
    throw error
  }
}
