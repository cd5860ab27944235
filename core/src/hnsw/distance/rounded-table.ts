import type {Space} from '../../catalog/hnsw-parameters.js'

import {hasKernel, type Kernel, kernelMemory, kernelOver, MAX_PAGES, PAGE_BYTES} from './kernel.js'
import {kernelDistances, type Questions, type RowDistances, scratchBytes} from './row-distances.js'
import type {Memory} from './web-assembly.js'

/** Length of a rounded row, short enough that the inner product of two fits in 32 bits. */
const LENGTH = 32_000

export interface RoundedShape extends Questions {
  dimension: number
  rows: number
  space: Space
}

/** What another thread needs to open the same table: it can be posted to a worker. */
export interface RoundedTable extends RoundedShape {
  memory: Memory
}

/** Memory of a table of this shape, in bytes. */
export function roundedBytes(shape: RoundedShape): number {
  // At first a vector has to find room where the threads are going to ask.
  return scratchAt(shape) + Math.max(scratchBytes(shape), 4 * shape.dimension)
}

/** Whether a table of this shape can be made: SIMD is there, and it fits in the 4 GiB that WebAssembly addresses. */
export function fitsRounded(shape: RoundedShape): boolean {
  return Math.ceil(roundedBytes(shape) / PAGE_BYTES) <= MAX_PAGES && hasKernel()
}

/**
 * Rounds vectors, as an index of their space stores them, to 16 bits for each number: at most 1/64,000 of the length of
 * the vector away from it, which is a small part of what bf16 takes away.
 * Memory: 2 bytes for each number, and 8 for each row.
 *
 * @returns undefined where WebAssembly has no memory for it
 */
export function roundVectors(shape: RoundedShape, vectors: Float32Array): RoundedTable | undefined {
  const memory = fitsRounded(shape) ? kernelMemory(roundedBytes(shape)) : undefined
  if (!memory) return undefined
  const {dimension, rows, space} = shape
  const kernel = openKernel(shape, memory)
  // No thread has begun: its place holds one vector after the other.
  const vector = new Float32Array(memory.buffer, scratchAt(shape), dimension)
  for (let at = 0, row = 0; row < rows; at += dimension, row++) {
    vector.set(vectors.subarray(at, at + dimension))
    kernel.roundRow(vector.byteOffset, row, LENGTH, space === 'l2')
  }

  return {...shape, memory}
}

/** Opens a table in any thread; two that work at the same time have different numbers below `threads`. */
export function openRounded(table: RoundedTable, thread: number): RowDistances {
  const {memory} = table
  const {firstNearerRounded, roundedDistance, roundedDistances} = openKernel(table, memory)
  const kernel = {distance: roundedDistance, distances: roundedDistances, firstNearer: firstNearerRounded}
  return kernelDistances(kernel, table, {buffer: memory.buffer, scratch: scratchAt(table), thread})
}

/** Behind the numbers of all rows is what makes a distance of their products. */
function openKernel({dimension, rows}: RoundedShape, memory: Memory): Kernel {
  const kernel = kernelOver(memory)
  const factorsAt = aligned(2 * rows * dimension)
  kernel.openRounded(dimension, factorsAt, factorsAt + 4 * rows)
  return kernel
}

function scratchAt({dimension, rows}: RoundedShape): number {
  return aligned(2 * rows * dimension) + 8 * rows
}

function aligned(bytes: number): number {
  return 4 * Math.ceil(bytes / 4)
}
