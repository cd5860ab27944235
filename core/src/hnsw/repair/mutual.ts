import type {RowDistances} from '../distance/row-distances.js'

import {NeighbourChoice} from './heuristic.js'
import type {IncomingLinks, RepairJob} from './job.js'
import {LinkLists} from './link-lists.js'

/** Collects the links that the first step added, by the element they lead to. Memory: four bytes for each list and link. */
export function collectIncoming({kept, next}: RepairJob): IncomingLinks {
  const lists = new LinkLists(next)
  const eachNewLink = (visit: (target: number, id: number) => void) => {
    const elements = next.header.curElementCount
    for (let id = 0; id < elements; id++) {
      for (let level = next.levels[id] as number; level >= 0; level--) {
        const links = lists.links(level)
        const start = lists.start(level, id)
        const count = lists.count(level, id)
        for (let i = kept[lists.number(level, id)] as number; i < count; i++)
          visit(lists.number(level, links[start + i] as number), id)
      }
    }
  }

  const starts = new Uint32Array(new SharedArrayBuffer(4 * (lists.size + 1)))
  eachNewLink((target) => {
    starts[target + 1] = (starts[target + 1] as number) + 1
  })
  for (let i = 1; i <= lists.size; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number)
  const ids = new Uint32Array(new SharedArrayBuffer(4 * (starts[lists.size] as number)))
  const ends = Uint32Array.from(starts)
  eachNewLink((target, id) => {
    ids[ends[target] as number] = id
    ends[target] = (ends[target] as number) + 1
  })
  return {ids, starts}
}

/** The heuristic leaves about half of a full list of level 0. Of what it drops, old links fill the list up to here again. */
const FULL_ENOUGH = 0.75

/**
 * Second step: links an element back to those that have chosen it, as hnswlib does with a new element: where the list
 * is full, the heuristic chooses among the old links and the new ones. Old links that it drops stay as far as there is
 * room: few elements have links that lead far, which a search needs to come from one region to another. It changes the
 * lists of this element alone.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`mutuallyConnectNewElement`).
 */
export function mutualLinker(
  {next}: RepairJob,
  rows: RowDistances,
  {ids, starts}: IncomingLinks,
): (id: number) => void {
  const lists = new LinkLists(next)
  const choice = new NeighbourChoice(rows)

  const shrink = (level: number, id: number, incoming: Uint32Array) => {
    const links = lists.links(level)
    const start = lists.start(level, id)
    const end = start + lists.count(level, id)
    const capacity = lists.capacity(level)
    choice.reset()
    const old = links.slice(start, end)
    choice.consider(id, links, start, end)
    choice.consider(id, incoming)
    let count = 0
    while (count < capacity) {
      const chosen = choice.next()
      if (chosen === undefined) break
      links[start + count++] = chosen
    }

    const most = level === 0 ? FULL_ENOUGH * capacity : capacity
    const chosen = new Set(links.subarray(start, start + count))
    for (let i = 0; i < old.length && count < most; i++) {
      const link = old[i] as number
      if (!chosen.has(link)) links[start + count++] = link
    }

    lists.setCount(level, id, count)
  }

  const linkOnLevel = (level: number, id: number) => {
    const list = lists.number(level, id)
    const [from, to] = [starts[list] as number, starts[list + 1] as number]
    if (from === to) return
    const links = lists.links(level)
    const start = lists.start(level, id)
    const count = lists.count(level, id)
    const incoming = ids.subarray(from, to).filter((other) => {
      for (let i = start; i < start + count; i++) if (links[i] === other) return false
      return true
    })
    if (count + incoming.length > lists.capacity(level)) shrink(level, id, incoming)
    else for (const other of incoming) lists.push(level, id, other)
  }

  return (id) => {
    for (let level = next.levels[id] as number; level >= 0; level--) linkOnLevel(level, id)
  }
}
