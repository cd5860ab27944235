import type {RowDistances} from './row-distances.js'
import {openRounded, type RoundedShape, type RoundedTable, roundVectors} from './rounded-table.js'
import {createTable, openTable, type SharedTable} from './vector-table.js'

/** What another thread needs to open the same rows: it can be posted to a worker. */
export type SharedRows = {exact: SharedTable} | {rounded: RoundedTable}

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
  return {exact: shared}
}

/** Opens rows in any thread; two that work at the same time have different numbers, which begin with 0. */
export function openRows(shared: SharedRows, thread: number): RowDistances {
  return 'rounded' in shared ? openRounded(shared.rounded, thread) : openTable(shared.exact, thread)
}
