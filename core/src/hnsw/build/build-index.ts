import {mkdir, rm} from 'node:fs/promises'
import {availableParallelism} from 'node:os'
import {join} from 'node:path'
import type {Space} from '../../catalog/hnsw-parameters.js'
import {allEnded} from '../../change/all-ended.js'
import {usage} from '../../errors.js'
import type {ScanOptions} from '../files.js'
import {loadGraph} from '../graph.js'
import {type HnswHeader} from '../header.js'
import {NO_ENTERPOINT} from '../header-layout.js'
import {connectUnreachable} from './connect.js'
import type {IndexElements} from './elements.js'
import type {EngineName, Precision} from './engine-protocol.js'
import {Engine} from './engine.js'
import {headerOf, writeHeaderAndNorms} from './index-files.js'
import {type RowVisitor, splitSingleFile} from './single-file.js'
import {convertUsearchFile} from './usearch-file.js'
import {writeWords} from './word-writer.js'

/** Link counts are stored in 16 bits; with M = 1, whose logarithm is 0, hnswlib has no levels. */
const M_RANGE = {max: 32_767, min: 2}

/** Below this one thread is done at once, and gives the same graph every time. */
const ROWS_FOR_THREADS = 5000

/** What the library saves, for as long as it takes to rewrite it. */
export const SAVED_GRAPH = 'graph.tmp'

/** What a library has to know before it gets the first element. */
export interface BuildShape {
  count: number
  dimension: number
  efConstruction: number
  /** The library to build with; the best that is installed without it. */
  engine?: EngineName | undefined
  M: number
  space: Space
  /** All cores without it. Only usearch uses more than one. */
  threads?: number | undefined
}

export interface BuildOptions extends Omit<BuildShape, 'count' | 'dimension'>, ScanOptions {
  /** As an index of this space stores them: see `elementsForSpace`. */
  elements: IndexElements
  /** Room that the header announces; the number of elements without it. */
  maxElements?: number
  /** Work for this process while the library builds; it begins when the library has vectors, and is done at the end. */
  meanwhile?: (() => Promise<void>) | undefined
  /** Folder for the index, which must not have one yet; it is made when it does not exist. */
  outDir: string
  /**
   * In what usearch compares vectors, see `choosePrecision`; f32 without it. The index holds the vectors to the byte in
   * any case.
   */
  precision?: Precision | undefined
  /** A library of `startEngine` for this shape, which is stopped when it has done its work. */
  started?: Promise<Engine> | undefined
}

export interface BuiltIndex {
  /** Absent for an index without elements. */
  engine?: EngineName
  header: HnswHeader
}

function assertBuildable({elements, M, maxElements, space, threads = 1}: BuildOptions): void {
  const {dimension, labels, norms, vectors} = elements
  assertPossible(M)
  if (vectors.length !== labels.length * dimension)
    throw new RangeError('vectors and labels differ in number')
  if ((norms?.length ?? labels.length) !== labels.length)
    throw new RangeError('norms and labels differ in number')
  if ((space === 'cosine') !== (norms !== undefined))
    throw new RangeError('a cosine index, and no other, has norms')
  if ((maxElements ?? labels.length) < labels.length)
    throw new RangeError('maxElements is below the number of elements')
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`an index cannot be built by ${threads} threads`)
}

function assertPossible(M: number): void {
  if (Number.isInteger(M) && M >= M_RANGE.min && M <= M_RANGE.max) return
  throw usage(`An HNSW index cannot have M = ${M}.`, {next: `Choose ${M_RANGE.min} to ${M_RANGE.max}.`})
}

/** hnswlib stores no ef_construction below M. */
function effectiveEf({efConstruction, M}: Pick<BuildShape, 'efConstruction' | 'M'>): number {
  return Math.max(efConstruction, M)
}

async function writeEmpty(outDir: string, header: HnswHeader): Promise<void> {
  for (const file of ['data_level0.bin', 'link_lists.bin'])
    await writeWords(join(outDir, file), 1, async () => {})
  await writeHeaderAndNorms(outDir, header)
}

/**
 * Starts the library that `buildIndex` is going to need: it takes a tenth of a second, in which the elements can be read.
 *
 * @throws ChopsError as `buildIndex`
 */
export async function startEngine(
  {count, dimension, efConstruction, engine, M, space, threads = availableParallelism()}: BuildShape,
  signal?: AbortSignal,
): Promise<Engine> {
  assertPossible(M)
  const options = {
    dimension,
    efConstruction: effectiveEf({efConstruction, M}),
    M,
    maxElements: count,
    space,
    threads: count < ROWS_FOR_THREADS ? 1 : threads,
  }
  return Engine.start(options, {signal, ...(engine && {engines: [engine]})})
}

async function addAll(options: BuildOptions, saved: string): Promise<EngineName> {
  const {elements, meanwhile, onProgress, precision, signal, started} = options
  const {dimension, labels, vectors} = elements
  const engine = await (started ?? startEngine({...options, count: labels.length, dimension}, signal))
  try {
    const positions = Uint32Array.from({length: labels.length}, (_, i) => i)
    let other: Promise<void> | undefined
    const report = (done: number, total: number) => {
      if (!other) {
        other = meanwhile?.()
        // Met below.
        other?.catch(() => {})
      }

      onProgress?.(done, total)
    }

    const saving = engine
      .add(positions, vectors, {onProgress: report, precision})
      .then(() => engine.save(saved))
    await Promise.allSettled([saving])
    await allEnded([saving, other])
  } finally {
    await engine.stop()
  }

  return engine.name
}

/** What hnswlib-node saved has positions in `elements` for labels, which are the internal ids as well. */
async function convertSingleFile(
  saved: string,
  {elements, outDir, signal}: BuildOptions,
  header: HnswHeader,
) {
  const {labels, norms} = elements
  const labelAt = header.labelOffset / 4
  const setLabel: RowVisitor = (words, at, id) => {
    const label = labels[id] as number
    words[at + labelAt] = label
    words[at + labelAt + 1] = Math.floor(label / 2 ** 32)
  }

  const {enterpoint, maxLevel} = await splitSingleFile(saved, outDir, setLabel, {signal})
  const complete = {...header, enterpoint, maxLevel}
  await writeHeaderAndNorms(outDir, complete, norms)
  return complete
}

/**
 * Builds the index of some elements as the four files of a segment folder, which `syncIndex` syncs. Vectors and norms
 * get there to the byte; which internal id an element gets is open. Every element can be found afterwards, see
 * `connectUnreachable`. The library is usearch, on several cores, or hnswlib-node where usearch is not installed or
 * CHOPS_HNSW_ENGINE asks for it.
 * Memory: the library's copy of the vectors and the graph. Disk: for a while about twice the finished files.
 * `onProgress` counts elements.
 *
 * @throws ChopsError `usage` for an impossible M or when no library is installed, `damaged` when the disk is full
 */
export async function buildIndex(options: BuildOptions): Promise<BuiltIndex> {
  assertBuildable(options)
  const {elements, M, outDir, signal} = options
  const {dimension, labels} = elements
  const empty = headerOf({
    curElementCount: labels.length,
    dimension,
    efConstruction: effectiveEf(options),
    enterpoint: NO_ENTERPOINT,
    M,
    maxElements: options.maxElements ?? labels.length,
    maxLevel: -1,
  })
  await mkdir(outDir, {recursive: true})
  if (labels.length === 0) {
    await writeEmpty(outDir, empty)
    await options.meanwhile?.()
    return {header: empty}
  }

  const saved = join(outDir, SAVED_GRAPH)
  let built: {engine: EngineName; header: HnswHeader}
  try {
    const engine = await addAll(options, saved)
    const convert = engine === 'usearch' ? convertUsearchFile : convertSingleFile
    built = {engine, header: await convert(saved, options, empty)}
  } finally {
    await rm(saved, {force: true})
  }

  const graph = await loadGraph(outDir, built.header, {signal})
  await connectUnreachable(outDir, graph, {signal})
  return built
}
