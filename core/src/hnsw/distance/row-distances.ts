import type {RowsKernel} from '../kernel/kernel.js'

/** Rows that are compared with one at a time: what the kernel is told about them stays in the cache. */
export const OTHERS_AT_ONCE = 256

/** Distances between rows of vectors, to many others at a time; for one thread. */
export interface RowDistances {
  distance: (i: number, j: number) => number
  /** Distances of a row to the first of `others`, at the same places of an array that the next call uses again. */
  distancesTo: (row: number, count: number) => Float32Array
  /** Position of the first among so many `rivals` that is nearer to a row than a distance; -1 if none is. */
  firstNearer: (row: number, count: number, distance: number) => number
  /** To be filled before a call of `distancesTo`; it has room for `OTHERS_AT_ONCE`. */
  others: Uint32Array
  /** To be filled before a call of `firstNearer`; it has room for `mostRivals`. */
  rivals: Uint32Array
}

/** Memory in which the kernel is asked, in bytes: the numbers of others, their distances, and the numbers of rivals. */
export function scratchBytes(mostRivals: number): number {
  return 8 * OTHERS_AT_ONCE + 4 * mostRivals
}

/** The distances that the kernel computes; from the address `scratch` on there is memory to ask for them. */
export function kernelDistances(
  {distance, distances, firstNearer}: RowsKernel,
  {buffer, mostRivals, scratch}: {buffer: SharedArrayBuffer; mostRivals: number; scratch: number},
): RowDistances {
  const foundAt = scratch + 4 * OTHERS_AT_ONCE
  const rivalsAt = foundAt + 4 * OTHERS_AT_ONCE
  const found = new Float32Array(buffer, foundAt, OTHERS_AT_ONCE)
  return {
    distance,
    distancesTo(row, count) {
      distances(scratch, count, row, foundAt)
      return found
    },
    firstNearer: (row, count, limit) => firstNearer(rivalsAt, count, row, limit),
    others: new Uint32Array(buffer, scratch, OTHERS_AT_ONCE),
    rivals: new Uint32Array(buffer, rivalsAt, mostRivals),
  }
}

/** The same from a distance of two rows, where there is no kernel. */
export function plainDistances(distance: RowDistances['distance'], mostRivals: number): RowDistances {
  const found = new Float32Array(OTHERS_AT_ONCE)
  const others = new Uint32Array(OTHERS_AT_ONCE)
  const rivals = new Uint32Array(mostRivals)
  return {
    distance,
    distancesTo(row, count) {
      for (let i = 0; i < count; i++) found[i] = distance(others[i] as number, row)
      return found
    },
    firstNearer(row, count, limit) {
      for (let i = 0; i < count; i++) if (distance(rivals[i] as number, row) < limit) return i
      return -1
    },
    others,
    rivals,
  }
}
