import {readdir, rm} from 'node:fs/promises'
import {join} from 'node:path'

import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../hnsw/files.js'
import type {IdMap} from '../log/pending.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {IndexSource} from './source.js'

import {fsyncPath} from '../change/durable.js'
import {ChopsError} from '../errors.js'
import {buildIndex, type BuildOptions, type BuildShape, startEngine} from '../hnsw/build/build-index.js'
import type {Engine} from '../hnsw/build/engine.js'
import {applyOperations, netOperations} from '../hnsw/build/operations.js'
import {elementsForSpace, type IndexElements, type StoredElements} from '../hnsw/build/elements.js'
import {type VerifiedIndex, verifyIndex, type VerifyOptions} from '../hnsw/build/verify-index.js'
import {extendImage} from '../hnsw/extend/extend-index.js'
import {type IndexImage, readImage} from '../hnsw/extend/index-image.js'
import {verifyExtended} from '../hnsw/extend/verify-extended.js'
import {writeImage} from '../hnsw/extend/write-image.js'
import {INDEX_METADATA_FILE} from '../hnsw/index-metadata.js'
import {NONE} from '../hnsw/repair/job.js'
import {writeIndexMetadata} from '../hnsw/index-metadata-writer.js'
import {inParallel} from '../in-parallel.js'
import {requireFinite} from './require-finite.js'
import {readOwnedElements, vectorsMissing} from './source.js'

/** The stages of a new index, in their order. */
export type Stage = 'build' | 'read' | 'switch' | 'verify'

export interface StageOptions {
  onStage?: ((stage: Stage, done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
  /** Threads of a full build; all cores without it. */
  threads?: number | undefined
}

export interface WrittenSegment {
  /** Elements of the new index, marked ones included. */
  elements: number
  /** The native library that made the graph; absent for one that was changed. */
  engine: string | undefined
  method: 'extend' | 'full'
  verified: VerifiedIndex
}

/**
 * Below this recall a graph is not what its vectors and parameters lead one to expect: hardly any data and parameters
 * that people use come under it. Another attempt has to show whose fault it is.
 */
export const LOW_RECALL = 0.8

/** It builds on one thread, and what it builds is what Chroma's engines would. */
const LAST_ENGINE = 'hnswlib-node'

type Attempt = Pick<BuildOptions, 'engine' | 'precision'> & {enough: number}

/** How a graph is built, and again in the next way while its recall is below what the way before has to reach. */
const ATTEMPTS: readonly [Attempt, ...Attempt[]] = [
  // Neighbours that differ by less than bf16 can tell cost recall.
  {enough: 0.95, precision: 'bf16'},
  {enough: LOW_RECALL, precision: 'f32'},
  {engine: LAST_ENGINE, enough: 0},
]

/** What a user should know about an index that every attempt gave a low recall. */
export function recallWarning({recall, sampleSize}: VerifiedIndex): string | undefined {
  if (recall >= LOW_RECALL) return undefined
  return `The recall@10 of the new index is only ${recall.toFixed(3)} on ${sampleSize} samples, whichever way it is built: its vectors or its parameters are unusual. hnsw rebuild with a larger --m and --construction-ef may help.`
}

/** What a new index holds. */
export interface NewElements extends IndexElements {
  /** Of each element its internal id in the old index, if its vector is the same there; otherwise NONE. */
  oldIds: Uint32Array
}

/**
 * The elements of a new index as its space stores them, under the labels of `source.pending.ids`: the vectors the ids
 * own and the pending log.
 *
 * @throws ChopsError `damaged` when a vector cannot be read, or is one that no index should hold
 */
export async function readNewElements(
  source: IndexSource,
  {space}: HnswParameters,
  options: StageOptions = {},
): Promise<NewElements> {
  const {dimension, pending} = source
  const net = netOperations(pending.operations, dimension, space)
  const room = net.added.labels.length
  const owned = await readOwnedElements(source, {...stage('read', options), room})
  const elements = applyOperations(elementsForSpace(owned, space), net)
  requireFinite(elements, pending.ids.idToLabel, source)
  return {...elements, oldIds: oldIdsOf(elements.labels, owned, new Set(net.updated.labels))}
}

/** Old elements come first, in their order, without the deleted ones. */
function oldIdsOf(
  labels: IndexElements['labels'],
  {internalIds, labels: oldLabels}: StoredElements,
  updated: Set<number>,
): Uint32Array {
  let old = 0
  return Uint32Array.from(labels, (label) => {
    while (old < oldLabels.length && oldLabels[old] !== label) old += 1
    return updated.has(label) ? NONE : (internalIds[old] ?? NONE)
  })
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
  const [{engine: first, precision}] = ATTEMPTS
  const shape = {count, dimension, efConstruction, engine: first, M, precision, space, threads}
  return withEngine(shape, options.signal, async (started) => {
    const {elements, ids} = relabel(await readNewElements(source, parameters, options), pending.ids)
    const build = {...stage('build', options), efConstruction, elements, M, outDir: folder, space, threads}
    const verify = {...stage('verify', options), elements, folder, space}
    const {engine, verified} = await buildVerified({...build, started}, verify)
    await writeMetadata(dir, source, ids, folder)
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

/** Builds until the recall is enough; the last way is taken as it is. */
async function buildVerified(
  {started, ...build}: BuildOptions,
  verify: VerifyOptions,
): Promise<Pick<WrittenSegment, 'engine' | 'verified'>> {
  for (const [i, {enough, ...way}] of ATTEMPTS.entries()) {
    await emptyFolder(build.outDir)
    const {engine} = await buildIndex({...build, ...way, started: i === 0 ? started : undefined})
    const verified = await verifyIndex(verify)
    if (verified.recall >= enough || engine === LAST_ENGINE) return {engine, verified}
  }

  throw new Error('the last way to build is not enough')
}

/**
 * Writes the old index with the pending log applied into an empty folder: old elements keep their labels and what no id
 * owns gets the mark of a deleted one, added ones go on after the last label given out. Each file is read once to be
 * changed in memory and written once; then the new ones are read back and held against the old ones, to the byte.
 * Where the old index is not sound, or the recall of the new one low, as that of the old graph may have been, the whole
 * index is built anew instead.
 *
 * @throws ChopsError `damaged` when a source or the new index is not sound
 */
export async function writeExtendedIndex(
  dir: PersistDir,
  source: IndexSource,
  folder: string,
  options: StageOptions = {},
): Promise<WrittenSegment> {
  const {dimension, parameters, pending} = source
  const {space} = parameters
  const net = netOperations(pending.operations, dimension, space)
  for (const changed of [net.added, net.updated]) requireFinite(changed, pending.ids.idToLabel, source)
  const image = await readSoundImage(source, net.added.labels.length, options)
  if (!image) return writeFullIndex(dir, source, parameters, folder, options)
  const operations = {...net, deleted: withoutOwner(source, image, net.deleted)}
  const {maxElements} = image.graph.header
  await extendImage(image, operations, stage('build', options))
  const {curElementCount} = image.graph.header
  await writeImage(folder, image, Math.max(maxElements, curElementCount), {signal: options.signal})
  const verifying = verifyExtended({
    ...stage('verify', options),
    image,
    labels: pending.ids.idToLabel.values(),
    newFolder: folder,
    oldFolder: source.folder,
    operations,
  })
  // What is read back comes from memory in any case, so that the disk can write in the meantime.
  await inParallel(
    verifying,
    fsyncPath(join(folder, 'data_level0.bin')),
    writeMetadata(dir, source, pending.ids, folder),
  )
  const verified = await verifying
  if (verified.recall < LOW_RECALL) {
    await emptyFolder(folder)
    return writeFullIndex(dir, source, parameters, folder, options)
  }

  return {elements: curElementCount, engine: undefined, method: 'extend', verified}
}

/** The old index in memory; undefined when it is not sound, so that only its vectors can be used. */
async function readSoundImage(
  {folder, parameters}: IndexSource,
  added: number,
  options: StageOptions,
): Promise<IndexImage | undefined> {
  try {
    return await readImage({added, folder, space: parameters.space}, stage('read', options))
  } catch (error) {
    if (error instanceof ChopsError && error.kind === 'damaged') return undefined
    throw error
  }
}

/**
 * Labels to delete: those given and those of live elements that no id owns, which a search could only stumble over.
 *
 * @throws ChopsError `damaged` when an id owns no live element: it would be lost without a word
 */
function withoutOwner(source: IndexSource, image: IndexImage, deleted: Set<number>): Set<number> {
  const owned = new Set(source.metadata?.idToLabel.values())
  const labels = new Set(deleted)
  for (const [label, id] of image.ids) {
    if (image.graph.deleted[id] === 0 && !owned.delete(label)) labels.add(label)
  }

  if (owned.size > 0) throw vectorsMissing(source, owned)
  return labels
}

/** Makes room for another attempt. */
export async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name))
}

/** Labels 1 to n in the order of the elements: no gap is left for the engine to fall into. */
export function relabel<T extends IndexElements>(elements: T, ids: IdMap): {elements: T; ids: IdMap} {
  const newLabels = new Map<number, number>()
  for (let i = 0; i < elements.labels.length; i++) newLabels.set(elements.labels[i] as number, i + 1)
  const idToLabel = new Map<string, number>()
  for (const [id, label] of ids.idToLabel) {
    const newLabel = newLabels.get(label)
    if (newLabel === undefined) throw new Error(`label ${label} has no element`)
    idToLabel.set(id, newLabel)
  }

  const labels = Float64Array.from({length: elements.labels.length}, (_, i) => i + 1)
  return {
    elements: {...elements, labels},
    ids: {idToLabel, idToSeqId: ids.idToSeqId, totalElementsAdded: labels.length},
  }
}

/** Writes `index_metadata.pickle` as this generation reads it. */
export async function writeMetadata(
  {generation}: PersistDir,
  {dimension, pending}: IndexSource,
  ids: IdMap,
  folder: string,
): Promise<void> {
  const file = join(folder, INDEX_METADATA_FILE)
  // The Rust engine keeps both in SQLite alone; the Python engines up to 0.5.5 know `max_seq_id` from this file only.
  const isRust = generation.engine === 'rust'
  const counters = isRust
    ? {dimensionality: null, maxSeqId: null}
    : {dimensionality: dimension, maxSeqId: pending.maxSeqId}
  await writeIndexMetadata(file, {...ids, ...counters}, isRust ? 'dict' : 'PersistentData')
  await fsyncPath(file)
}

/** The options of a pass over files that reports its progress as that of a stage. */
export function stage(name: Stage, {onStage, signal}: StageOptions): ScanOptions {
  return {onProgress: (done, total) => onStage?.(name, done, total), signal}
}
