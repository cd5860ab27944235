import type {Collection} from '../catalog/catalog.js'
import type {IndexElements} from '../hnsw/build/elements.js'

import {damaged} from '../errors.js'
import {sumOfSquares} from '../hnsw/level0-problems.js'

/** Ids that an error names. */
const NAMED = 5

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
  const ids = [...idToLabel].filter(([, label]) => bad.has(label)).map(([id]) => JSON.stringify(id))
  const some = ids.slice(0, NAMED).join(', ')
  throw damaged(
    `The vectors of ${ids.length} records of collection ${collection.name} hold NaN or infinity, or norms that no vector can have (${some}${ids.length > NAMED ? ', ...' : ''}).`,
    {
      file: folder,
      next: 'Write these records again or delete them with Chroma, then run the command again; nothing was changed.',
    },
  )
}
