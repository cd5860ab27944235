import {readFileSync} from 'node:fs'

import {type Memory, type Module, WebAssembly} from './web-assembly.js'

/** What the kernel tells of the rows of an instance; lists are given by their addresses. */
export interface RowsKernel {
  distance: (i: number, j: number) => number
  distances: (others: number, count: number, row: number, distances: number) => void
  firstNearer: (rivals: number, count: number, row: number, distance: number) => number
}

/** What core/wasm exports, see there. */
export interface Kernel {
  exactDistance: RowsKernel['distance']
  exactDistances: RowsKernel['distances']
  firstNearerExact: RowsKernel['firstNearer']
  firstNearerRounded: RowsKernel['firstNearer']
  openExact: (dimension: number, rowSize: number, vectorAt: number, isSquared: boolean) => void
  openRounded: (dimension: number, factors: number, biases: number) => void
  roundedDistance: RowsKernel['distance']
  roundedDistances: RowsKernel['distances']
  roundRow: (vector: number, row: number, length: number, isL2: boolean) => void
}

/** Where the build puts the module, seen from the sources as well as from what is compiled from them. */
const MODULE = new URL('../../../dist/hnsw/distance/kernel.wasm', import.meta.url)

export const PAGE_BYTES = 65_536

/** Most pages of 64 KiB that the module takes: 4 GiB, which is all that 32 bits address. */
export const MAX_PAGES = 65_536

let loaded: Module | null | undefined

/** The compiled module, read and compiled once; null where the processor or the engine has no SIMD. */
function kernelModule(): Module | null {
  if (loaded === undefined) {
    const bytes = readFileSync(MODULE)
    loaded = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null
  }

  return loaded
}

/** Whether distances can be computed with SIMD on this machine. */
export function hasKernel(): boolean {
  return kernelModule() !== null
}

/**
 * A memory of so many bytes for the kernel; undefined where the address space is limited (`ulimit -v`): V8 reserves
 * gigabytes of it for any WebAssembly memory.
 */
export function kernelMemory(bytes: number): Memory | undefined {
  const pages = Math.ceil(bytes / PAGE_BYTES)
  try {
    return new WebAssembly.Memory({initial: pages, maximum: pages, shared: true})
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** The kernel over a memory, which other threads may use at the same time. */
export function kernelOver(memory: Memory): Kernel {
  const compiled = kernelModule()
  if (!compiled) throw new Error('WebAssembly has no SIMD here')
  return new WebAssembly.Instance(compiled, {env: {memory}}).exports as Kernel
}
