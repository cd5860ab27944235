import type {Space} from '../../catalog/hnsw-parameters.js'

import {type Kernel, kernelOver} from '../kernel/kernel.js'
import {fitsMemory, kernelMemory, KernelMemoryError} from '../kernel/memory.js'
import {plainDistance} from './plain.js'
import {kernelDistances, plainDistances, type RowDistances, scratchBytes} from './row-distances.js'
import type {Memory} from '../kernel/web-assembly.js'

export interface TableShape {
  dimension: number
  /** For rows that hold more than their vector; without it they lie one behind the other. */
  layout?: RowLayout | undefined
  /** Most that `firstNearer` is asked about at a time. */
  mostRivals?: number
  rows: number
  space: Space
}

/** Both in bytes, and multiples of four. */
export interface RowLayout {
  rowSize: number
  /** Where in a row its vector begins. */
  vectorAt: number
}

/** A table in the memory of the kernel. It can be posted to a worker. */
export interface KernelTable extends TableShape {
  memory: Memory
}

/**
 * Rows of vectors of f32, as an index of their space stores them, and the distances between them: l2 squared, or 1 - the
 * inner product, which for normalised vectors is cosine. What is no number, because it is out of the range of f32, counts
 * as infinitely far: a search that compares it with anything would never end.
 */
export interface VectorTable extends RowDistances {
  dimension: number
  /** All rows. */
  floats: Float32Array
}

/** Whether the distances of a table of this shape are computed with SIMD: it is there, and the rows fit in 4 GiB. */
export function fitsKernel(shape: TableShape): boolean {
  return fitsMemory(tableBytes(shape))
}

/** Memory of a table of this shape, in bytes. */
export function tableBytes(shape: TableShape): number {
  return rowsBytes(shape) + scratchBytes(shape.mostRivals ?? 0)
}

/**
 * Sets a table of zeros aside: in the memory of the WebAssembly kernel where it fits, else in one that plain JavaScript
 * works on, many times slower and with the same distances within rounding. Memory: 4 bytes for each number.
 *
 * @param useKernel false for plain JavaScript in any case
 * @throws RangeError when the machine does not have that much memory
 */
export function createTable(shape: TableShape, useKernel = fitsKernel(shape)): VectorTable {
  if (!useKernel) return plainTable(shape)
  try {
    return openTable(createKernelTable(shape))
  } catch (error) {
    if (error instanceof KernelMemoryError) return plainTable(shape)
    throw error
  }
}

/**
 * Sets a table of zeros aside in the memory of the kernel.
 *
 * @throws KernelMemoryError where WebAssembly has no memory for it
 */
export function createKernelTable(shape: TableShape): KernelTable {
  return {...shape, memory: kernelMemory(tableBytes(shape))}
}

/** The kernel over a table, for any thread. */
export function tableKernel(table: KernelTable): Kernel {
  const kernel = kernelOver(table.memory)
  const {rowSize, vectorAt} = layoutOf(table)
  kernel.openExact(table.dimension, rowSize, vectorAt, table.space === 'l2')
  return kernel
}

/** A table for one thread. */
export function openTable(table: KernelTable): VectorTable {
  const {exactDistance, exactDistances, firstNearerExact} = tableKernel(table)
  const {buffer} = table.memory
  const scratch = rowsBytes(table)
  const kernel = {distance: exactDistance, distances: exactDistances, firstNearer: firstNearerExact}
  return {
    ...kernelDistances(kernel, {buffer, mostRivals: table.mostRivals ?? 0, scratch}),
    dimension: table.dimension,
    floats: new Float32Array(buffer, 0, scratch / 4),
  }
}

function plainTable(shape: TableShape): VectorTable {
  const floats = new Float32Array(rowsBytes(shape) / 4)
  const plain = plainDistance(shape.space, shape.dimension)
  const {rowSize, vectorAt} = layoutOf(shape)
  const at = (row: number) => (row * rowSize + vectorAt) / 4
  const distance = (i: number, j: number) => {
    const value = Math.fround(plain(floats, at(i), at(j)))
    return Number.isNaN(value) ? Infinity : value
  }

  return {...plainDistances(distance, shape.mostRivals ?? 0), dimension: shape.dimension, floats}
}

function layoutOf({dimension, layout}: TableShape): RowLayout {
  return layout ?? {rowSize: 4 * dimension, vectorAt: 0}
}

function rowsBytes(shape: TableShape): number {
  return shape.rows * layoutOf(shape).rowSize
}
