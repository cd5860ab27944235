import {OTHERS_AT_ONCE, type RowDistances} from '../distance/row-distances.js'
import type {HnswGraph} from '../graph.js'

import type {NeighbourChoice} from './neighbour-choice.js'
import {LinkLists} from '../graph-lists.js'
import {NearestHeap} from './nearest-heap.js'

/**
 * The search with which hnswlib looks for the neighbours of an element, with a list of ef_construction.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`searchBaseLayer`).
 */
export class LevelSearch {
  private readonly efConstruction: number
  private readonly lists: LinkLists
  private readonly open = new NearestHeap()
  private readonly seen: Uint32Array
  private turn = 0
  /** The nearest elements found, the farthest first: distances are negated. */
  private readonly worst = new NearestHeap()

  constructor(
    graph: HnswGraph,
    private readonly rows: RowDistances,
  ) {
    this.efConstruction = graph.header.efConstruction
    this.lists = new LinkLists(graph)
    this.seen = new Uint32Array(graph.header.curElementCount)
  }

  /**
   * Resets a choice, fills it with the nearest elements of a level that a search finds, and returns the nearest.
   *
   * @param entry where the search begins; the element itself if it has links already
   */
  find(level: number, entry: number, id: number, choice: NeighbourChoice): number {
    const {efConstruction, open, rows, seen, worst} = this
    this.turn += 1
    seen[id] = this.turn
    seen[entry] = this.turn
    open.clear()
    worst.clear()
    if (entry === id) open.push(id, -Infinity)
    else this.add(entry, rows.distance(entry, id))
    while (open.size > 0 && (worst.size < efConstruction || open.distance <= -worst.distance))
      this.follow(level, open.pop(), id)
    choice.reset()
    let nearest = entry
    while (worst.size > 0) {
      const distance = -worst.distance
      nearest = worst.pop()
      choice.candidates.push(nearest, distance)
    }

    return nearest
  }

  private add(other: number, distance: number): void {
    const {efConstruction, open, worst} = this
    if (worst.size === efConstruction) {
      if (distance >= -worst.distance) return
      worst.pop()
    }

    worst.push(other, -distance)
    open.push(other, distance)
  }

  private follow(level: number, from: number, id: number): void {
    const {lists, rows, seen} = this
    const links = lists.links(level)
    let next = lists.start(level, from)
    const end = next + lists.count(level, from)
    while (next < end) {
      let count = 0
      for (; next < end && count < OTHERS_AT_ONCE; next++) {
        const other = links[next] as number
        if (seen[other] === this.turn) continue
        seen[other] = this.turn
        rows.others[count++] = other
      }

      const distances = rows.distancesTo(id, count)
      for (let i = 0; i < count; i++) this.add(rows.others[i] as number, distances[i] as number)
    }
  }
}
