import type {Space} from '../../catalog/hnsw-parameters.js'
import type {RowDistances} from './row-distances.js'

import {hasKernel, type Kernel, kernelMemory, kernelOver, MAX_PAGES, PAGE_BYTES} from './kernel.js'
import type {Memory} from './web-assembly.js'

/** Rows that are compared with one at a time: what the kernel is told about them stays in the cache. */
export const OTHERS_AT_ONCE = 256

/** Length of a rounded row, short enough that the inner product of two fits in 32 bits. */
const LENGTH = 32_000

export interface RoundedShape {
  dimension: number
  /** Most that `firstNearer` is asked about at a time. */
  mostRivals: number
  rows: number
  space: Space
  /** Threads that work on the table at the same time. */
  threads: number
}

/** What another thread needs to open the same table: it can be posted to a worker. */
export interface RoundedTable extends RoundedShape {
  memory: Memory
}

/** Memory of a table of this shape, in bytes. */
export function roundedBytes(shape: RoundedShape): number {
  return scratchAt(shape) + shape.threads * scratchBytes(shape)
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
  const {memory, mostRivals} = table
  const kernel = openKernel(table, memory)
  const others = scratchAt(table) + thread * scratchBytes(table)
  const distances = others + 4 * OTHERS_AT_ONCE
  const rivals = distances + 4 * OTHERS_AT_ONCE
  const found = new Float32Array(memory.buffer, distances, OTHERS_AT_ONCE)
  return {
    distance: kernel.roundedDistance,
    distancesTo(row, count) {
      kernel.roundedDistances(others, count, row, distances)
      return found
    },
    firstNearer: (row, count, distance) => kernel.firstNearer(rivals, count, row, distance),
    others: new Uint32Array(memory.buffer, others, OTHERS_AT_ONCE),
    rivals: new Uint32Array(memory.buffer, rivals, mostRivals),
  }
}

/** Behind the numbers of all rows is what makes a distance of their products. */
function openKernel({dimension, rows}: RoundedShape, memory: Memory): Kernel {
  const kernel = kernelOver(memory)
  const factorsAt = aligned(2 * rows * dimension)
  kernel.openRows(dimension, factorsAt, factorsAt + 4 * rows)
  return kernel
}

function scratchAt({dimension, rows}: RoundedShape): number {
  return aligned(2 * rows * dimension) + 8 * rows
}

/** What a thread writes for the kernel: the numbers of others, their distances, and the numbers of rivals; at first a vector. */
function scratchBytes({dimension, mostRivals}: RoundedShape): number {
  return Math.max(8 * OTHERS_AT_ONCE + 4 * mostRivals, 4 * dimension)
}

function aligned(bytes: number): number {
  return 4 * Math.ceil(bytes / 4)
}
