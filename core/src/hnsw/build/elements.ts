import type {Space} from '../../catalog/hnsw-parameters.js'
import type {ScanOptions} from '../files.js'
import type {HnswHeader} from '../header.js'
import {readNorms} from '../length.js'
import {type LiveVectors, readLabelledVectors, type RowPass} from '../live-vectors.js'

/** hnswlib adds this to every norm so that a vector of zeros can be divided by it. */
const NORM_OFFSET = Math.fround(1e-30)

/**
 * Vectors with their labels; element i has its vector at `i * dimension`. With norms the vectors are normalised, as a
 * cosine index stores them; without they are the original embeddings, as the other spaces do.
 */
export interface IndexElements {
  dimension: number
  /** Integers from 0 to 2^53 - 1, none twice. */
  labels: Float64Array | readonly number[]
  /** Norm of each original vector. */
  norms?: Float32Array | undefined
  vectors: Float32Array
}

/** Elements that were read from an index. */
export interface StoredElements extends IndexElements {
  /** Internal id of each element. */
  internalIds: Uint32Array
}

/**
 * Normalises each vector in place and returns the norms. Every step is rounded to f32 in the order of hnswlib, so the
 * bytes are those Chroma's engines write.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`normalize_vector`).
 */
export function normalizeVectors(vectors: Float32Array, dimension: number): Float32Array {
  const norms = new Float32Array(vectors.length / dimension)
  for (let at = 0, i = 0; i < norms.length; at += dimension, i++) {
    let squares = 0
    for (let j = at; j < at + dimension; j++) {
      const value = vectors[j] as number
      squares = Math.fround(squares + Math.fround(value * value))
    }

    const norm = Math.fround(Math.sqrt(squares))
    const factor = Math.fround(1 / Math.fround(norm + NORM_OFFSET))
    for (let j = at; j < at + dimension; j++) vectors[j] = (vectors[j] as number) * factor
    norms[i] = norm
  }

  return norms
}

/**
 * The same elements as an index of this space stores them: normalised for cosine, otherwise the original embeddings as
 * far as f32 gives them back (`getDataByLabel` in chroma-core/hnswlib hnswlib/hnswalg.h). What already is in that form
 * stays as it is to the byte; else the vectors are changed in place.
 */
export function elementsForSpace(elements: IndexElements, space: Space): IndexElements {
  const {dimension, labels, norms, vectors} = elements
  if ((space === 'cosine') === (norms !== undefined)) return elements
  if (!norms) return {dimension, labels, norms: normalizeVectors(vectors, dimension), vectors}
  for (let at = 0, i = 0; i < norms.length; at += dimension, i++) {
    const norm = norms[i] as number
    for (let j = at; j < at + dimension; j++) vectors[j] = (vectors[j] as number) * norm
  }

  return {dimension, labels, vectors}
}

/**
 * The live elements that have one of these labels, in order of their internal ids and each label at its first
 * appearance, in one pass over the rows; `missing` are the labels that no live element has.
 * Memory: the vectors plus 16 bytes for each.
 *
 * @param pass see `readLabelledVectors`
 * @param room for so many more vectors behind these in the same memory, see `applyOperations`
 * @throws ChopsError `damaged` when a file is missing, unreadable or too short
 */
export async function readLabelled(
  folder: string,
  header: HnswHeader,
  {
    space,
    ...options
  }: ScanOptions & {labels: Iterable<number>; pass?: RowPass | undefined; room: number; space: Space},
): Promise<StoredElements & {missing: Set<number>}> {
  const {missing, ...elements} = await readLabelledVectors(folder, header, options)
  return {...(await asStored(folder, header, space, elements, options)), missing}
}

/** Vectors of an index with the norms that belong to them. */
async function asStored(
  folder: string,
  header: HnswHeader,
  space: Space,
  {internalIds, labels, vectors}: LiveVectors,
  {signal}: Pick<ScanOptions, 'signal'>,
): Promise<StoredElements> {
  const {dimension} = header
  if (space !== 'cosine') return {dimension, internalIds, labels, vectors}
  const all = await readNorms(folder, header, {signal})
  const norms = Float32Array.from(internalIds, (id) => all[id] as number)
  return {dimension, internalIds, labels, norms, vectors}
}
