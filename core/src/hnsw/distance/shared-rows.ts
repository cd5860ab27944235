import type {Kernel} from '../kernel/kernel.js'
import {Arena} from '../kernel/memory.js'
import type {RowDistances} from './row-distances.js'
import {
  roundedBytes,
  roundedKernel,
  roundedRows,
  type RoundedShape,
  type RoundedTable,
  roundVectors,
} from './rounded-table.js'
import {createKernelTable, type KernelTable, openTable, tableBytes, tableKernel} from './vector-table.js'

/** What another thread needs to open the same rows: it can be posted to a worker. */
export type SharedRows = {exact: KernelTable} | {rounded: RoundedTable}

/**
 * Shares vectors, as an index of their space stores them, with threads that compare them by the kernel.
 *
 * @param isRounded to 16 bits: it takes half the memory and less than half the time
 * @throws KernelMemoryError where WebAssembly has no memory for them
 */
export function shareRows(shape: RoundedShape, vectors: Float32Array, isRounded: boolean): SharedRows {
  if (isRounded) return {rounded: roundVectors(shape, vectors)}
  const exact = createKernelTable(shape)
  openTable(exact).floats.set(vectors)
  return {exact}
}

/** The kernel over rows, for any thread. */
export function rowsKernel(shared: SharedRows): Kernel {
  return 'rounded' in shared ? roundedKernel(shared.rounded) : tableKernel(shared.exact)
}

/** Opens rows for the one thread that asks for distances. */
export function openRows(shared: SharedRows): RowDistances {
  return 'rounded' in shared ? roundedRows(shared.rounded) : openTable(shared.exact)
}

/** For what else is to be in the memory of rows. */
export function arenaBehind(shared: SharedRows): Arena {
  return 'rounded' in shared
    ? new Arena(shared.rounded.memory, roundedBytes(shared.rounded))
    : new Arena(shared.exact.memory, tableBytes(shared.exact))
}
