import {itemOf} from '../lists'

/**
 * The links of every element on every level of a graph, as lists that are read and written in one way: M, and addresses
 * of the arrays of an `HnswGraph`, which core/src/hnsw/repair writes here in this order.
 */
@unmanaged
export class Graph {
  elements: u32
  maxM: u32
  maxM0: u32
  levels: usize
  level0Counts: usize
  level0Links: usize
  upperLists: usize
  upperStart: usize

  level(id: u32): i32 {
    return load<u8>(this.levels + id)
  }

  /** Most links that a list of a level has room for. */
  capacity(level: i32): u32 {
    return level === 0 ? this.maxM0 : this.maxM
  }

  count(level: i32, id: u32): u32 {
    return level === 0
      ? load<u16>(this.level0Counts + ((<usize>id) << 1))
      : load<u32>(this.links(level, id) - 4)
  }

  /** Address of the links of an element. */
  links(level: i32, id: u32): usize {
    if (level === 0) return this.level0Links + ((<usize>id * this.maxM0) << 2)
    return this.upperLists + ((<usize>this.upperNumber(level, id) * (this.maxM + 1) + 1) << 2)
  }

  /** Number of the list of an element: those of level 0 by id, then those above. */
  number(level: i32, id: u32): u32 {
    return level === 0 ? id : this.elements + this.upperNumber(level, id)
  }

  setCount(level: i32, id: u32, count: u32): void {
    if (level === 0) store<u16>(this.level0Counts + ((<usize>id) << 1), <u16>count)
    else store<u32>(this.links(level, id) - 4, count)
  }

  private upperNumber(level: i32, id: u32): u32 {
    return itemOf(this.upperStart, id) + level - 1
  }
}
