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
  bytesToChoose: () => number
  bytesToLink: (mostOfOne: number) => number
  bytesToOrder: () => number
  chooseLinks: (room: number, from: number, to: number) => void
  collectIncoming: (starts: number, ids: number) => void
  countIncoming: (starts: number, lists: number) => number
  exactDistance: RowsKernel['distance']
  exactDistances: RowsKernel['distances']
  firstNearerExact: RowsKernel['firstNearer']
  firstNearerRounded: RowsKernel['firstNearer']
  linkBack: (room: number, from: number, to: number) => void
  openIncoming: (starts: number, ids: number, mostOfOne: number) => void
  openExact: (dimension: number, rowSize: number, vectorAt: number, isSquared: boolean) => void
  openRepair: (old: number, next: number, job: number, isRounded: boolean) => void
  openRounded: (dimension: number, factors: number, biases: number) => void
  orderElements: (room: number) => void
  roundedDistance: RowsKernel['distance']
  roundedDistances: RowsKernel['distances']
  roundRow: (vector: number, row: number, length: number, isL2: boolean) => void
}

/** Where the build puts the module, seen from the sources as well as from what is compiled from them. */
const MODULE = new URL('../../../dist/hnsw/kernel/kernel.wasm', import.meta.url)

let loaded: Module | null | undefined

/** The compiled module, read and compiled once; null where the processor or the engine has no SIMD. */
function kernelModule(): Module | null {
  if (loaded === undefined) {
    const bytes = readFileSync(MODULE)
    loaded = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null
  }

  return loaded
}

/** Whether the kernel runs on this machine: with SIMD. */
export function hasKernel(): boolean {
  return kernelModule() !== null
}

/** The kernel over a memory, which other threads may use at the same time. */
export function kernelOver(memory: Memory): Kernel {
  const compiled = kernelModule()
  if (!compiled) throw new Error('WebAssembly has no SIMD here')
  return new WebAssembly.Instance(compiled, {env: {memory}}).exports as Kernel
}
