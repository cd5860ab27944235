import type {SharedRows} from '../distance/shared-rows.js'

/** In `newIds` an element that does not go on; in `oldIds` one that comes anew. */
export const NONE = 0xff_ff_ff_ff

/** What the threads of a repair share; it can be posted to a worker. Addresses are those of the memory of the rows. */
export interface RepairJob {
  /** Number of elements that go on. */
  elements: number
  /** Address of the lists that belong to no graph: `Job` of core/wasm/repair. */
  lists: number
  /** Address of the graph in the making: `Graph` of core/wasm/repair. */
  next: number
  /** Address of the graph there is. */
  old: number
  /** How many of those elements are given out to threads in the present step. */
  progress: Int32Array
  /** Row i is the vector of element i of the new graph. */
  rows: SharedRows
}

/** What links back, as the kernel finds it in the memory of the rows. */
export interface IncomingLinks {
  /** Address of the elements, by the lists that they chose. */
  ids: number
  /** Most that chose one list. */
  most: number
  /** Address of where in `ids` each list begins, and of where the last one ends. */
  starts: number
}
