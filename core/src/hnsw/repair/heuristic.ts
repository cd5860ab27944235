import {NearestHeap} from './nearest-heap.js'

/**
 * hnswlib's choice of neighbours: the nearest candidate first, and each only if it is nearer to the element than to
 * every neighbour it already has, so that links lead into all directions.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`getNeighborsByHeuristic2`).
 */
export class NeighbourChoice {
  /** Candidates that are not looked at yet. */
  readonly candidates = new NearestHeap()
  /** The neighbours in any order: one that has just ruled a candidate out stands first, as it may the next one too. */
  private readonly rivals: Uint32Array
  private size = 0
  private tries = 0

  constructor(
    private readonly distance: (i: number, j: number) => number,
    capacity: number,
  ) {
    this.rivals = new Uint32Array(capacity)
  }

  /** Counts an element as a neighbour without asking. */
  keep(id: number): void {
    this.rivals[this.size++] = id
  }

  /** The next candidate that is a neighbour as well; undefined when none of the rest is. */
  next(): number | undefined {
    const {candidates} = this
    for (; candidates.size > 0 && this.tries > 0; this.tries--) {
      const {distance} = candidates
      const id = candidates.pop()
      if (!this.isAlone(id, distance)) continue
      this.keep(id)
      return id
    }

    return undefined
  }

  /** Begins with another element: no candidates, of which `tries` will be looked at, and no neighbours. */
  reset(tries = Infinity): void {
    this.candidates.clear()
    this.size = 0
    this.tries = tries
  }

  private isAlone(id: number, distance: number): boolean {
    const {rivals} = this
    for (let i = 0; i < this.size; i++) {
      const rival = rivals[i] as number
      if (this.distance(rival, id) >= distance) continue
      rivals[i] = rivals[0] as number
      rivals[0] = rival
      return false
    }

    return true
  }
}
