import type {Space} from '../../catalog/hnsw-parameters.js'

import {hasKernel, kernelOver, MAX_PAGES} from './kernel.js'
import {plainDistance} from './plain.js'
import {type Memory, WebAssembly} from './web-assembly.js'

const PAGE_BYTES = 65_536

export interface TableShape {
  dimension: number
  rows: number
  space: Space
}

/** What another thread needs to open the same table: it can be posted to a worker. */
export interface SharedTable extends TableShape {
  memory: Memory | SharedArrayBuffer
}

/** Rows of vectors of f32, as an index of their space stores them, and the distances between them. */
export interface VectorTable {
  /** Distance of rows i and j: l2 squared, or 1 - the inner product, which for normalised vectors is cosine. */
  distance: (i: number, j: number) => number
  /** Row i begins at `i * dimension`. */
  floats: Float32Array
  shared: SharedTable
}

/** Whether the distances of a table of this shape are computed with SIMD: it is there, and the rows fit in 4 GiB. */
export function fitsKernel({dimension, rows}: TableShape): boolean {
  return pagesOf(rows, dimension) <= MAX_PAGES && hasKernel()
}

/**
 * Sets a table of zeros aside: in the memory of the WebAssembly kernel where it fits, else in one that plain JavaScript
 * works on, many times slower and with the same distances within rounding. Memory: 4 bytes for each number.
 *
 * @param useKernel false for plain JavaScript in any case
 * @throws RangeError when the machine does not have that much memory
 */
export function createTable(shape: TableShape, useKernel = fitsKernel(shape)): VectorTable {
  const {dimension, rows} = shape
  const memory = (useKernel && kernelMemory(shape)) || new SharedArrayBuffer(4 * rows * dimension)
  return openTable({...shape, memory})
}

/** Undefined where the address space is limited (`ulimit -v`): V8 reserves gigabytes of it for any WebAssembly memory. */
function kernelMemory({dimension, rows}: TableShape): Memory | undefined {
  const pages = pagesOf(rows, dimension)
  try {
    return new WebAssembly.Memory({initial: pages, maximum: pages, shared: true})
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Opens a table that `createTable` made, in the same thread or another. */
export function openTable(shared: SharedTable): VectorTable {
  const {dimension, memory, rows, space} = shared
  const buffer = memory instanceof SharedArrayBuffer ? memory : memory.buffer
  const floats = new Float32Array(buffer, 0, rows * dimension)
  if (memory instanceof SharedArrayBuffer) {
    const plain = plainDistance(space, dimension)
    return {distance: (i, j) => plain(floats, i * dimension, j * dimension), floats, shared}
  }

  const kernel = kernelOver(memory)
  const compute = space === 'l2' ? kernel.l2 : kernel.ip
  const rowBytes = 4 * dimension
  return {distance: (i, j) => compute(i * rowBytes, j * rowBytes, dimension), floats, shared}
}

function pagesOf(rows: number, dimension: number): number {
  // One page more: no address that the kernel computes may pass the end of 32 bits.
  return Math.ceil((4 * rows * dimension) / PAGE_BYTES) + 1
}
