import type {Space} from '../../catalog/hnsw-parameters.js'

/** Distance of the two vectors that begin at `floats[i]` and `floats[j]`. */
export type Distance = (floats: Float32Array, i: number, j: number) => number

// Both loops keep several sums, because one alone waits for each addition to finish before the next.

const squaredEuclidean =
  (dimension: number): Distance =>
  (floats, i, j) => {
    let s = 0
    let t = 0
    let u = 0
    let v = 0
    const end = i + dimension
    for (; i + 3 < end; i += 4, j += 4) {
      s += ((floats[i] as number) - (floats[j] as number)) ** 2
      t += ((floats[i + 1] as number) - (floats[j + 1] as number)) ** 2
      u += ((floats[i + 2] as number) - (floats[j + 2] as number)) ** 2
      v += ((floats[i + 3] as number) - (floats[j + 3] as number)) ** 2
    }

    for (; i < end; i++, j++) s += ((floats[i] as number) - (floats[j] as number)) ** 2
    return s + t + u + v
  }

const innerProduct =
  (dimension: number): Distance =>
  (floats, i, j) => {
    let s = 0
    let t = 0
    let u = 0
    let v = 0
    const end = i + dimension
    for (; i + 3 < end; i += 4, j += 4) {
      s += (floats[i] as number) * (floats[j] as number)
      t += (floats[i + 1] as number) * (floats[j + 1] as number)
      u += (floats[i + 2] as number) * (floats[j + 2] as number)
      v += (floats[i + 3] as number) * (floats[j + 3] as number)
    }

    for (; i < end; i++, j++) s += (floats[i] as number) * (floats[j] as number)
    return 1 - (s + t + u + v)
  }

/**
 * The distance of a space in plain JavaScript, summed in f64, for vectors as its index stores them.
 * Source: chroma-core/hnswlib hnswlib/space_l2.h and space_ip.h.
 */
export function plainDistance(space: Space, dimension: number): Distance {
  return space === 'l2' ? squaredEuclidean(dimension) : innerProduct(dimension)
}
