import {readdir, rm} from 'node:fs/promises'
import {join} from 'node:path'

import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../hnsw/files.js'
import type {IdMap} from '../log/pending.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {IndexSource} from './source.js'

import {fsyncPath} from '../change/durable.js'
import {elementsForSpace, type IndexElements, type StoredElements} from '../hnsw/build/elements.js'
import {applyOperations, netOperations} from '../hnsw/build/operations.js'
import type {VerifiedIndex} from '../hnsw/build/verify-index.js'
import {INDEX_METADATA_FILE} from '../hnsw/index-metadata.js'
import type {RowPass} from '../hnsw/live-vectors.js'
import {writeIndexMetadata} from '../hnsw/index-metadata-writer.js'
import {NONE} from '../hnsw/repair/job.js'
import {requireFinite, requireNorms} from './require-finite.js'
import {readOwnedElements} from './source.js'

/** The stages of a new index, in their order. */
export type Stage = 'build' | 'read' | 'switch' | 'verify'

export interface StageOptions {
  /** Bytes that chops may take in all; without it what is free. */
  maxMemory?: number | undefined
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
 * @param options.pass over the old rows, see `readLabelledVectors`
 * @throws ChopsError `damaged` when a vector cannot be read, or is one that no index should hold
 */
export async function readNewElements(
  source: IndexSource,
  {space}: HnswParameters,
  options: StageOptions & {pass?: RowPass} = {},
): Promise<NewElements> {
  const {dimension, pending} = source
  const net = netOperations(pending.operations, dimension, space)
  const room = net.added.labels.length
  const owned = await readOwnedElements(source, {...stage('read', options), pass: options.pass, room})
  const replaced = new Set([...net.updated.labels, ...net.deleted])
  requireNorms(owned, pending.ids.idToLabel, {...source, replaced})
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
