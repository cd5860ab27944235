import {OTHERS_AT_ONCE, type RowDistances} from '../distance/row-distances.js'
import {NearestHeap} from './nearest-heap.js'

/**
 * hnswlib's choice of neighbours: the nearest candidate first, and each only if it is nearer to the element than to
 * every neighbour it already has, so that links lead into all directions.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`getNeighborsByHeuristic2`).
 */
export class NeighbourChoice {
  /** Candidates that are not looked at yet. */
  readonly candidates = new NearestHeap()
  private size = 0

  constructor(private readonly rows: RowDistances) {}

  /** Adds elements to the candidates for neighbours of one. */
  consider(id: number, elements: ArrayLike<number>, from = 0, to = elements.length): void {
    const {candidates, rows} = this
    for (let start = from; start < to; start += OTHERS_AT_ONCE) {
      const count = Math.min(OTHERS_AT_ONCE, to - start)
      for (let i = 0; i < count; i++) rows.others[i] = elements[start + i] as number
      const distances = rows.distancesTo(id, count)
      for (let i = 0; i < count; i++) candidates.push(elements[start + i] as number, distances[i] as number)
    }
  }

  /** Counts an element as a neighbour without asking. */
  keep(id: number): void {
    this.rows.rivals[this.size++] = id
  }

  /** The next candidate that is a neighbour as well; undefined when none of the rest is. */
  next(): number | undefined {
    const {candidates} = this
    while (candidates.size > 0) {
      const {distance} = candidates
      const id = candidates.pop()
      if (!this.isAlone(id, distance)) continue
      this.keep(id)
      return id
    }

    return undefined
  }

  /** Begins with another element: no candidates and no neighbours. */
  reset(): void {
    this.candidates.clear()
    this.size = 0
  }

  /** Neighbours are in any order: one that has just ruled a candidate out comes first, as it may the next one too. */
  private isAlone(id: number, distance: number): boolean {
    const {rivals} = this.rows
    const at = this.rows.firstNearer(id, this.size, distance)
    if (at === -1) return true
    const rival = rivals[at] as number
    rivals[at] = rivals[0] as number
    rivals[0] = rival
    return false
  }
}
