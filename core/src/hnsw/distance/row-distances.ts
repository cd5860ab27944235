import {
  openRounded,
  OTHERS_AT_ONCE,
  type RoundedShape,
  type RoundedTable,
  roundVectors,
} from './rounded-table.js'
import {createTable, openTable, type SharedTable, type VectorTable} from './vector-table.js'

/** Distances between rows of vectors, to many others at a time. */
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

/** What another thread needs to open the same rows: it can be posted to a worker. */
export type SharedRows = {exact: SharedTable; mostRivals: number} | {rounded: RoundedTable}

/**
 * Shares vectors, as an index of their space stores them, with threads that compare them.
 *
 * @param isRounded to 16 bits, where that is possible: it takes half the memory and less than half the time
 * @throws RangeError when the machine does not have that much memory
 */
export function shareRows(shape: RoundedShape, vectors: Float32Array, isRounded: boolean): SharedRows {
  const rounded = isRounded ? roundVectors(shape, vectors) : undefined
  if (rounded) return {rounded}
  const {floats, shared} = createTable(shape)
  floats.set(vectors)
  return {exact: shared, mostRivals: shape.mostRivals}
}

/** Opens rows in any thread; two that work at the same time have different numbers, which begin with 0. */
export function openRows(shared: SharedRows, thread: number): RowDistances {
  return 'rounded' in shared
    ? openRounded(shared.rounded, thread)
    : exactRows(openTable(shared.exact), shared.mostRivals)
}

/** The rows of a table that holds vectors as they are. */
export function exactRows({distance}: VectorTable, mostRivals: number): RowDistances {
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
