import type {VectorTable} from '../distance/vector-table.js'
import type {HnswGraph} from '../graph.js'

import {NeighbourChoice} from './heuristic.js'
import {LinkLists} from './link-lists.js'
import {NearestHeap} from './nearest-heap.js'

/**
 * Adds elements to a graph that has their rows already, but no link of theirs, as hnswlib does: down the levels to the
 * nearest element, then on each level of the new one a search with a list of ef_construction, of which the heuristic
 * chooses M neighbours, which link back.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`addPoint`, `searchBaseLayer`, `mutuallyConnectNewElement`).
 */
export class Inserter {
  private readonly choice: NeighbourChoice
  private readonly distance: (i: number, j: number) => number
  private readonly lists: LinkLists
  private readonly open = new NearestHeap()
  private readonly seen: Uint32Array
  private turn = 0
  /** The nearest elements found, the farthest first: distances are negated. */
  private readonly worst = new NearestHeap()

  constructor(
    private readonly graph: HnswGraph,
    table: VectorTable,
  ) {
    this.distance = table.distance
    this.lists = new LinkLists(graph)
    this.choice = new NeighbourChoice(table.distance, graph.header.maxM0)
    this.seen = new Uint32Array(graph.header.curElementCount)
  }

  insert(id: number): void {
    const {graph} = this
    const {enterpoint, M, maxLevel} = graph.header
    const own = graph.levels[id] as number
    let entry = enterpoint
    for (let level = maxLevel; level > own; level--) entry = this.descend(level, entry, id)
    for (let level = Math.min(own, maxLevel); level >= 0; level--) {
      entry = this.search(level, entry, id)
      let count = 0
      for (let chosen = this.choice.next(); chosen !== undefined && count < M; chosen = this.choice.next()) {
        this.lists.push(level, id, chosen)
        count += 1
      }

      this.linkBack(level, id)
    }

    if (own > maxLevel) graph.header = {...graph.header, enterpoint: id, maxLevel: own}
  }

  /** From an element of a level to the nearest of it that can be reached by coming nearer with each step. */
  private descend(level: number, from: number, id: number): number {
    const links = this.lists.links(level)
    let nearest = from
    let distance = this.distance(nearest, id)
    for (let at = -1; at !== nearest;) {
      at = nearest
      const start = this.lists.start(level, at)
      const end = start + this.lists.count(level, at)
      for (let i = start; i < end; i++) {
        const other = links[i] as number
        const itsDistance = this.distance(other, id)
        if (itsDistance >= distance) continue
        distance = itsDistance
        nearest = other
      }
    }

    return nearest
  }

  /** Links the neighbours of a new element to it; of a full list the heuristic keeps a part. */
  private linkBack(level: number, id: number): void {
    const {choice, lists} = this
    const links = lists.links(level)
    const from = lists.start(level, id)
    const to = from + lists.count(level, id)
    for (let at = from; at < to; at++) {
      const neighbour = links[at] as number
      const count = lists.count(level, neighbour)
      if (count < lists.capacity(level)) {
        lists.push(level, neighbour, id)
        continue
      }

      const start = lists.start(level, neighbour)
      choice.reset()
      choice.candidates.push(id, this.distance(id, neighbour))
      for (let i = start; i < start + count; i++) {
        const other = links[i] as number
        choice.candidates.push(other, this.distance(other, neighbour))
      }

      lists.setCount(level, neighbour, 0)
      for (let chosen = choice.next(); chosen !== undefined; chosen = choice.next()) {
        lists.push(level, neighbour, chosen)
        if (lists.count(level, neighbour) === lists.capacity(level)) break
      }
    }
  }

  /** Fills `choice` with the nearest elements of a level that a search finds, and returns the nearest. */
  private search(level: number, entry: number, id: number): number {
    const {choice, distance, lists, open, seen, worst} = this
    const {efConstruction} = this.graph.header
    const links = lists.links(level)
    this.turn += 1
    seen[id] = this.turn
    open.clear()
    worst.clear()
    const add = (other: number) => {
      if (seen[other] === this.turn) return
      seen[other] = this.turn
      const itsDistance = distance(other, id)
      if (worst.size === efConstruction) {
        if (itsDistance >= -worst.distance) return
        worst.pop()
      }

      worst.push(other, -itsDistance)
      open.push(other, itsDistance)
    }

    add(entry)
    while (open.size > 0 && (worst.size < efConstruction || open.distance <= -worst.distance)) {
      const at = open.pop()
      const start = lists.start(level, at)
      const end = start + lists.count(level, at)
      for (let i = start; i < end; i++) add(links[i] as number)
    }

    choice.reset()
    let nearest = entry
    while (worst.size > 0) {
      const itsDistance = -worst.distance
      nearest = worst.pop()
      choice.candidates.push(nearest, itsDistance)
    }

    return nearest
  }
}
