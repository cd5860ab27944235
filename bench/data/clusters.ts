import {Random} from './random.js'

const CLUSTERS = 200
const SPREAD = 0.6

/** Vectors in clusters, as embeddings lie: `records` times `dimension` floats. */
export function clusteredVectors(records: number, dimension: number): Float32Array {
  const random = new Random(6)
  const centres = new Float32Array(CLUSTERS * dimension)
  random.fill(centres)
  const vectors = new Float32Array(records * dimension)
  random.fill(vectors)
  for (let at = 0; at < vectors.length; at += dimension) {
    const centre = random.below(CLUSTERS) * dimension
    for (let i = 0; i < dimension; i++)
      vectors[at + i] = SPREAD * (vectors[at + i] as number) + (centres[centre + i] as number)
  }

  return vectors
}
