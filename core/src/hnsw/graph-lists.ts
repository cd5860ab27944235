import type {HnswGraph} from './graph.js'

/** The links of every element on every level of a graph, as lists that are read and written in one way. */
export class LinkLists {
  /** Number of lists: those of level 0 by id, then those above. */
  readonly size: number
  private readonly counts: Uint16Array
  private readonly elements: number
  private readonly level0: Uint32Array
  private readonly maxM: number
  private readonly maxM0: number
  private readonly upper: Uint32Array
  private readonly upperStart: Uint32Array

  constructor(graph: HnswGraph) {
    this.counts = graph.level0Counts
    this.elements = graph.header.curElementCount
    this.level0 = graph.level0Links
    this.maxM = graph.header.maxM
    this.maxM0 = graph.header.maxM0
    this.upper = graph.upperLists
    this.upperStart = graph.upperStart
    this.size = this.elements + this.upper.length / (this.maxM + 1)
  }

  /** Most links that a list of a level has room for. */
  capacity(level: number): number {
    return level === 0 ? this.maxM0 : this.maxM
  }

  count(level: number, id: number): number {
    return (level === 0 ? this.counts[id] : this.upper[this.start(level, id) - 1]) as number
  }

  /** The array that the links of a level are in, from `start` on. */
  links(level: number): Uint32Array {
    return level === 0 ? this.level0 : this.upper
  }

  /** Number of the list of an element on a level. */
  number(level: number, id: number): number {
    return level === 0 ? id : this.elements + (this.upperStart[id] as number) + level - 1
  }

  /** Puts a link at the end of a list, which must have room for it. */
  push(level: number, id: number, link: number): void {
    const count = this.count(level, id)
    this.links(level)[this.start(level, id) + count] = link
    this.setCount(level, id, count + 1)
  }

  setCount(level: number, id: number, count: number): void {
    if (level === 0) this.counts[id] = count
    else this.upper[this.start(level, id) - 1] = count
  }

  /** Where the links of an element begin in `links(level)`. */
  start(level: number, id: number): number {
    if (level === 0) return id * this.maxM0
    return ((this.upperStart[id] as number) + level - 1) * (this.maxM + 1) + 1
  }
}
