import type {Space} from '../../catalog/hnsw-parameters.js'

import {hasKernel, kernelMemory, kernelOver, MAX_PAGES, PAGE_BYTES} from './kernel.js'
import {plainDistance} from './plain.js'
import {
  kernelDistances,
  plainDistances,
  type Questions,
  type RowDistances,
  scratchBytes,
} from './row-distances.js'
import type {Memory} from './web-assembly.js'

export interface TableShape extends Partial<Questions> {
  dimension: number
  /** For rows that hold more than their vector; without it they lie one behind the other. */
  layout?: RowLayout | undefined
  rows: number
  space: Space
}

/** Both in bytes, and multiples of four. */
export interface RowLayout {
  rowSize: number
  /** Where in a row its vector begins. */
  vectorAt: number
}

/** What another thread needs to open the same table: it can be posted to a worker. */
export interface SharedTable extends TableShape {
  memory: Memory | SharedArrayBuffer
}

/**
 * Rows of vectors of f32, as an index of their space stores them, and the distances between them: l2 squared, or 1 - the
 * inner product, which for normalised vectors is cosine.
 */
export interface VectorTable extends RowDistances {
  /** All rows. */
  floats: Float32Array
  shared: SharedTable
}

/** Whether the distances of a table of this shape are computed with SIMD: it is there, and the rows fit in 4 GiB. */
export function fitsKernel(shape: TableShape): boolean {
  return pagesOf(shape) <= MAX_PAGES && hasKernel()
}

/**
 * Sets a table of zeros aside: in the memory of the WebAssembly kernel where it fits, else in one that plain JavaScript
 * works on, many times slower and with the same distances within rounding. Memory: 4 bytes for each number.
 *
 * @param useKernel false for plain JavaScript in any case
 * @throws RangeError when the machine does not have that much memory
 */
export function createTable(shape: TableShape, useKernel = fitsKernel(shape)): VectorTable {
  const memory =
    (useKernel && kernelMemory(PAGE_BYTES * pagesOf(shape))) || new SharedArrayBuffer(bytesOf(shape))
  return openTable({...shape, memory})
}

/**
 * Opens a table that `createTable` made, in the same thread or another; two that work at the same time have different
 * numbers. What is no number, because it is out of the range of f32, counts as infinitely far: a search that compares it
 * with anything would never end.
 */
export function openTable(shared: SharedTable, thread = 0): VectorTable {
  const {dimension, memory, space} = shared
  const {rowSize, vectorAt} = layoutOf(shared)
  const buffer = memory instanceof SharedArrayBuffer ? memory : memory.buffer
  const floats = new Float32Array(buffer, 0, bytesOf(shared) / 4)
  if (memory instanceof SharedArrayBuffer) {
    const plain = plainDistance(space, dimension)
    const at = (row: number) => (row * rowSize + vectorAt) / 4
    const distance = (i: number, j: number) => {
      const value = Math.fround(plain(floats, at(i), at(j)))
      return Number.isNaN(value) ? Infinity : value
    }

    return {...plainDistances(distance, questionsOf(shared)), floats, shared}
  }

  const {exactDistance, exactDistances, firstNearerExact, openExact} = kernelOver(memory)
  openExact(dimension, rowSize, vectorAt, space === 'l2')
  const kernel = {distance: exactDistance, distances: exactDistances, firstNearer: firstNearerExact}
  const place = {buffer: memory.buffer, scratch: bytesOf(shared), thread}
  return {...kernelDistances(kernel, questionsOf(shared), place), floats, shared}
}

function questionsOf({mostRivals = 0, threads = 1}: TableShape): Questions {
  return {mostRivals, threads}
}

function layoutOf({dimension, layout}: TableShape): RowLayout {
  return layout ?? {rowSize: 4 * dimension, vectorAt: 0}
}

function bytesOf(shape: TableShape): number {
  return shape.rows * layoutOf(shape).rowSize
}

function pagesOf(shape: TableShape): number {
  // One page more: no address that the kernel computes may pass the end of 32 bits.
  return Math.ceil((bytesOf(shape) + scratchBytes(questionsOf(shape))) / PAGE_BYTES) + 1
}
