import type {Space} from '../../catalog/hnsw-parameters.js'

import {type Kernel, kernelOver} from '../kernel/kernel.js'
import {kernelMemory} from '../kernel/memory.js'
import {kernelDistances, type RowDistances, scratchBytes} from './row-distances.js'
import type {Memory} from '../kernel/web-assembly.js'

/** Length of a rounded row, short enough that the inner product of two fits in 32 bits. */
const LENGTH = 32_000

export interface RoundedShape {
  dimension: number
  /** Most that `firstNearer` is asked about at a time. */
  mostRivals: number
  rows: number
  space: Space
}

/** What another thread needs to open the same table: it can be posted to a worker. */
export interface RoundedTable extends RoundedShape {
  memory: Memory
}

/** Memory of a table of this shape, in bytes. */
export function roundedBytes(shape: RoundedShape): number {
  // At first a vector has to find room where distances are going to be asked for.
  return scratchAt(shape) + Math.max(scratchBytes(shape.mostRivals), 4 * shape.dimension)
}

/**
 * Rounds vectors, as an index of their space stores them, to 16 bits for each number: at most 1/64,000 of the length of
 * the vector away from it, which is a small part of what bf16 takes away.
 * Memory: 2 bytes for each number, and 8 for each row.
 *
 * @throws KernelMemoryError where WebAssembly has no memory for it
 */
export function roundVectors(shape: RoundedShape, vectors: Float32Array): RoundedTable {
  const table = {...shape, memory: kernelMemory(roundedBytes(shape))}
  const {dimension, rows, space} = shape
  const kernel = roundedKernel(table)
  const vector = new Float32Array(table.memory.buffer, scratchAt(shape), dimension)
  for (let at = 0, row = 0; row < rows; at += dimension, row++) {
    vector.set(vectors.subarray(at, at + dimension))
    kernel.roundRow(vector.byteOffset, row, LENGTH, space === 'l2')
  }

  return table
}

/** The kernel over a table, for any thread. */
export function roundedKernel({dimension, memory, rows}: RoundedTable): Kernel {
  const kernel = kernelOver(memory)
  // Behind the numbers of all rows is what makes a distance of their products.
  const factorsAt = aligned(2 * rows * dimension)
  kernel.openRounded(dimension, factorsAt, factorsAt + 4 * rows)
  return kernel
}

/** The distances of a table, for one thread. */
export function roundedRows(table: RoundedTable): RowDistances {
  const {firstNearerRounded, roundedDistance, roundedDistances} = roundedKernel(table)
  const kernel = {distance: roundedDistance, distances: roundedDistances, firstNearer: firstNearerRounded}
  const {memory, mostRivals} = table
  return kernelDistances(kernel, {buffer: memory.buffer, mostRivals, scratch: scratchAt(table)})
}

function scratchAt({dimension, rows}: RoundedShape): number {
  return aligned(2 * rows * dimension) + 8 * rows
}

function aligned(bytes: number): number {
  return 4 * Math.ceil(bytes / 4)
}
