import type {Collection} from '../catalog/catalog.js'
import type {IndexElements} from '../hnsw/build/elements.js'

import {damaged} from '../errors.js'
import {hasLostNorm, sumOfSquares} from '../hnsw/level0-problems.js'
import {idsOf, nameIds} from './name-ids.js'

/**
 * Makes sure before a build that every vector is one that can be compared (H16). A library takes NaN and infinity
 * without a word, and a graph with them finds neither their records nor some of the others; to leave them out would
 * lose records, so somebody has to decide.
 *
 * @param elements as the new index stores them: a vector too long for its norm to be an f32 has no direction left
 * @param idToLabel the labels of `elements`
 * @throws ChopsError `damaged` that names the records
 */
export function requireFinite(
  {dimension, labels, norms, vectors}: IndexElements,
  idToLabel: ReadonlyMap<string, number>,
  {collection, folder}: {collection: Collection; folder: string},
): void {
  const bad = new Set<number>()
  for (const [i, label] of labels.entries()) {
    const norm = norms?.[i] ?? 0
    // The squares of finite f32 cannot overflow an f64, so their sum is finite exactly when all of them are.
    const isFinite = Number.isFinite(sumOfSquares(vectors, i * dimension, dimension))
    if (!isFinite || !(norm >= 0 && norm < Infinity)) bad.add(label)
  }

  if (bad.size === 0) return
  const ids = idsOf(bad, idToLabel)
  throw damaged(
    `The vectors of ${ids.length} records of collection ${collection.name} hold NaN or infinity, or norms that no vector can have (${nameIds(ids)}).`,
    {file: folder, next: NEXT},
  )
}

/**
 * Makes sure that no vector of a cosine index has lost its norm (H16): an engine gives zeros back for it, and a new index
 * would go on doing so, or hold the zeros themselves.
 *
 * @param elements as the old index stores them
 * @param idToLabel the labels of the new index
 * @param replaced labels whose vectors the new index does not take over
 * @throws ChopsError `damaged` that names the records
 */
export function requireNorms(
  {dimension, labels, norms, vectors}: IndexElements,
  idToLabel: ReadonlyMap<string, number>,
  {collection, folder, replaced}: {collection: Collection; folder: string; replaced: ReadonlySet<number>},
): void {
  if (!norms) return
  const lost = new Set<number>()
  for (const [i, label] of labels.entries()) {
    const norm = norms[i] as number
    if (norm !== 0 || replaced.has(label)) continue
    if (hasLostNorm(norm, sumOfSquares(vectors, i * dimension, dimension))) lost.add(label)
  }

  if (lost.size === 0) return
  const ids = idsOf(lost, idToLabel)
  throw damaged(
    `The norms of ${ids.length} records of collection ${collection.name} are 0 in length.bin, although their vectors are not (${nameIds(ids)}).`,
    {file: folder, next: NEXT},
  )
}

const NEXT =
  'Write these records again or delete them with Chroma, then run the command again; nothing was changed.'
