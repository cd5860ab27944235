import type {Space} from '../../catalog/hnsw-parameters.js'

/** Distance of two vectors of f32 that begin at `a[i]` and `b[j]`, computed in f64. */
export type Distance = (a: Float32Array, i: number, b: Float32Array, j: number) => number

// Both loops keep several sums, because one alone waits for each addition to finish before the next.

const squaredEuclidean =
  (dimension: number): Distance =>
  (a, i, b, j) => {
    let s = 0
    let t = 0
    let u = 0
    let v = 0
    const end = i + dimension
    for (; i + 3 < end; i += 4, j += 4) {
      s += ((a[i] as number) - (b[j] as number)) ** 2
      t += ((a[i + 1] as number) - (b[j + 1] as number)) ** 2
      u += ((a[i + 2] as number) - (b[j + 2] as number)) ** 2
      v += ((a[i + 3] as number) - (b[j + 3] as number)) ** 2
    }

    for (; i < end; i++, j++) s += ((a[i] as number) - (b[j] as number)) ** 2
    return s + t + u + v
  }

const innerProduct =
  (dimension: number): Distance =>
  (a, i, b, j) => {
    let s = 0
    let t = 0
    let u = 0
    let v = 0
    const end = i + dimension
    for (; i + 3 < end; i += 4, j += 4) {
      s += (a[i] as number) * (b[j] as number)
      t += (a[i + 1] as number) * (b[j + 1] as number)
      u += (a[i + 2] as number) * (b[j + 2] as number)
      v += (a[i + 3] as number) * (b[j + 3] as number)
    }

    for (; i < end; i++, j++) s += (a[i] as number) * (b[j] as number)
    return 1 - (s + t + u + v)
  }

/**
 * The distance of a space, for vectors as its index stores them, of a dimension.
 * Source: chroma-core/hnswlib hnswlib/space_l2.h and space_ip.h.
 */
export function distanceOf(space: Space, dimension: number): Distance {
  return space === 'l2' ? squaredEuclidean(dimension) : innerProduct(dimension)
}
