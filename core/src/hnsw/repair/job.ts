import type {SharedRows} from '../distance/shared-rows.js'
import type {HnswGraph} from '../graph.js'

/** In `newIds` an element that does not go on; in `oldIds` one that comes anew. */
export const NONE = 0xff_ff_ff_ff

/** Everything that the threads of a repair share; all arrays are on SharedArrayBuffers. */
export interface RepairJob {
  /** By list of the new graph (see `LinkLists`), how many of its links the old graph had as well; they come first. */
  kept: Uint16Array
  /** The graph in the making: its elements, without lists at first. */
  next: HnswGraph
  /** By internal id of the old graph. */
  newIds: Uint32Array
  old: HnswGraph
  /** By internal id of the new graph. */
  oldIds: Uint32Array
  /** The elements that go on, in the order in which they are worked on: neighbours together, so that their vectors are in the cache. */
  order: Uint32Array
  /** How far `order` is given out to threads. */
  progress: Int32Array
  /** Row i is the vector of element i of the new graph. */
  rows: SharedRows
}

/** The new links of the first step by the element they lead to: list i has `ids[starts[i]]` to `ids[starts[i + 1]]`. */
export interface IncomingLinks {
  ids: Uint32Array
  starts: Uint32Array
}
