import type {RowDistances} from '../distance/row-distances.js'
import type {HnswGraph} from '../graph.js'

import {NeighbourChoice} from './neighbour-choice.js'
import {LevelSearch} from './level-search.js'
import {LinkLists} from '../graph-lists.js'

/**
 * Adds elements to a graph that has their rows already, but no link of theirs, as hnswlib does: down the levels to the
 * nearest element, then on each level of the new one a search with a list of ef_construction, of which the heuristic
 * chooses M neighbours, which link back.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`addPoint`, `mutuallyConnectNewElement`).
 */
export class Inserter {
  private readonly choice: NeighbourChoice
  private readonly lists: LinkLists
  private readonly levelSearch: LevelSearch

  constructor(
    private readonly graph: HnswGraph,
    private readonly rows: RowDistances,
  ) {
    this.lists = new LinkLists(graph)
    this.choice = new NeighbourChoice(rows)
    this.levelSearch = new LevelSearch(graph, rows)
  }

  insert(id: number): void {
    const {graph} = this
    const {enterpoint, M, maxLevel} = graph.header
    const own = graph.levels[id] as number
    let entry = enterpoint
    for (let level = maxLevel; level > own; level--) entry = this.descend(level, entry, id)
    for (let level = Math.min(own, maxLevel); level >= 0; level--) {
      entry = this.levelSearch.find(level, entry, id, this.choice)
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
    let distance = this.rows.distance(nearest, id)
    for (let at = -1; at !== nearest;) {
      at = nearest
      const start = this.lists.start(level, at)
      const end = start + this.lists.count(level, at)
      for (let i = start; i < end; i++) {
        const other = links[i] as number
        const itsDistance = this.rows.distance(other, id)
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
      choice.candidates.push(id, this.rows.distance(id, neighbour))
      choice.consider(neighbour, links, start, start + count)

      lists.setCount(level, neighbour, 0)
      for (let chosen = choice.next(); chosen !== undefined; chosen = choice.next()) {
        lists.push(level, neighbour, chosen)
        if (lists.count(level, neighbour) === lists.capacity(level)) break
      }
    }
  }
}
