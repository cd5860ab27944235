import {setImmediate} from 'node:timers/promises'

import type {RowDistances} from '../distance/row-distances.js'
import type {ScanOptions} from '../files.js'
import type {HnswGraph} from '../graph.js'

import {entryAmong} from '../levels.js'
import {NeighbourChoice} from '../insert/neighbour-choice.js'
import {LinkLists} from '../graph-lists.js'

/** Most new links in place of a lost one; the heuristic seldom lets as many through. */
const LINKS_FOR_LOST = 2

/** Elements that are looked at between two turns of the event loop: some hundredths of a second. */
const ELEMENTS_PER_TURN = 100_000

/**
 * Takes elements out of a graph, so that they can be inserted again with other vectors: nothing links to them any more
 * and they link to nothing, but keep their levels. What linked to them gets links to what lay behind, by the heuristic;
 * the distances are those of the elements that stay.
 */
export async function detach(
  graph: HnswGraph,
  rows: RowDistances,
  ids: readonly number[],
  {signal}: Pick<ScanOptions, 'signal'> = {},
): Promise<void> {
  if (ids.length === 0) return
  const {curElementCount} = graph.header
  const lists = new LinkLists(graph)
  const choice = new NeighbourChoice(rows)
  const isGone = new Uint8Array(curElementCount)
  for (const id of ids) isGone[id] = 1

  const linksToGone = (level: number, id: number) => {
    const links = lists.links(level)
    const start = lists.start(level, id)
    const end = start + lists.count(level, id)
    for (let i = start; i < end; i++) if (isGone[links[i] as number] !== 0) return true
    return false
  }

  const replaceLost = (level: number, id: number) => {
    const links = lists.links(level)
    const start = lists.start(level, id)
    const all = links.slice(start, start + lists.count(level, id))
    const lost = all.filter((link) => isGone[link] !== 0)
    const kept = all.filter((link) => isGone[link] === 0)
    const seen = new Set([id, ...kept])
    lists.setCount(level, id, 0)
    choice.reset()
    for (const link of kept) {
      lists.push(level, id, link)
      choice.keep(link)
    }

    for (const link of lost) {
      const from = lists.start(level, link)
      for (const candidate of links.subarray(from, from + lists.count(level, link))) {
        if (isGone[candidate] !== 0 || seen.has(candidate)) continue
        seen.add(candidate)
        choice.candidates.push(candidate, rows.distance(candidate, id))
      }
    }

    const most = Math.min(lists.capacity(level), kept.length + LINKS_FOR_LOST * lost.length)
    while (lists.count(level, id) < most) {
      const chosen = choice.next()
      if (chosen === undefined) break
      lists.push(level, id, chosen)
    }
  }

  for (let id = 0; id < curElementCount; id++) {
    for (let level = graph.levels[id] as number; level >= 0; level--)
      if (isGone[id] === 0 && linksToGone(level, id)) replaceLost(level, id)
    if (id % ELEMENTS_PER_TURN === 0) {
      await setImmediate()
      signal?.throwIfAborted()
    }
  }

  for (const id of ids) {
    for (let level = graph.levels[id] as number; level >= 0; level--) lists.setCount(level, id, 0)
  }

  if (isGone[graph.header.enterpoint] !== 0)
    graph.header = {...graph.header, ...entryAmong(graph.levels, (id) => isGone[id] === 0)}
}
