/**
 * Second step of a repair: links elements back to those that have chosen them, as hnswlib does with a new element: where a
 * list is full, the heuristic chooses among the old links and the new ones. Old links that it drops stay as far as there
 * is room: few elements have links that lead far, which a search needs to come from one region to another. Elements of
 * higher levels, which lie scattered, get as many more of those as there is room for. It changes the lists of its elements
 * alone.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`mutuallyConnectNewElement`).
 */
import {addressIn, itemOf, lengthOf, setItem} from '../lists'
import {elementAt, next} from './job'
import {addCandidates, beginChoice, fillUp, measure, openChoice, sortFarthestFirst} from './neighbours'

let starts: usize = 0
let ids: usize = 0
let mostIncoming: u32 = 0

/** The links of an element and those that come to it. */
let before: usize = 0

/** To be called before, with the addresses of `starts` and `ids` of `IncomingLinks`, and how many chose one list at most. */
export function openIncoming(addressOfStarts: usize, addressOfIds: usize, mostOfOne: u32): void {
  starts = addressOfStarts
  ids = addressOfIds
  mostIncoming = mostOfOne
}

/** Room that a thread needs for the step, in bytes. */
export function bytesToLink(mostOfOne: u32): usize {
  mostIncoming = mostOfOne
  return openRoom(0)
}

/** Does the step for the elements at some places of the order, in a room of this thread alone. */
export function linkBack(room: usize, from: u32, to: u32): void {
  openRoom(room)
  for (let place = from; place < to; place++) {
    const id = elementAt(place)
    for (let level = next.level(id); level >= 0; level--) {
      const list = next.number(level, id)
      linkOnLevel(level, id, addressIn(ids, itemOf(starts, list)), addressIn(ids, itemOf(starts, list + 1)))
    }

    for (let level = 1; level <= next.level(id); level++) addFarLinks(level, id)
  }
}

function openRoom(at: usize): usize {
  const most = next.maxM0 + mostIncoming
  before = openChoice(at, most)
  return addressIn(before, most)
}

function linkOnLevel(level: i32, id: u32, incoming: usize, end: usize): void {
  if (incoming === end) return
  const links = next.links(level, id)
  const count = next.count(level, id)
  const all = joined(links, count, incoming, end)
  if (all > next.capacity(level)) shrink(level, id, count, all)
  else {
    memory.copy(links, before, (<usize>all) << 2)
    next.setCount(level, id, all)
  }
}

/** Puts links and those that come to them, each once, into `before`; returns how many there are. */
function joined(links: usize, count: u32, incoming: usize, end: usize): u32 {
  memory.copy(before, links, (<usize>count) << 2)
  return addOthers(before, count, u32.MAX_VALUE, incoming, lengthOf(incoming, end))
}

/** Gives an element what the heuristic leaves of `before`, of which `count` are its old links, and of these as many as there is room for. */
function shrink(level: i32, id: u32, count: u32, all: u32): void {
  const links = next.links(level, id)
  const capacity = next.capacity(level)
  beginChoice(all)
  measure(before, all, id)
  addCandidates(0, all)
  const chosen = fillUp(links, 0, capacity)

  // The heuristic leaves about half of a full list of level 0: it is filled up to seven eighths.
  const most: u32 = level === 0 ? (7 * capacity) >> 3 : capacity
  next.setCount(level, id, addOthers(links, chosen, most, before, count))
}

/** Fills the list of level 0 up with the links of a higher level, the farthest first. */
function addFarLinks(level: i32, id: u32): void {
  const count = next.count(level, id)
  sortFarthestFirst(next.links(level, id), count, id, before)
  next.setCount(0, id, addOthers(next.links(0, id), next.count(0, id), next.capacity(0), before, count))
}

/** Puts those of a list that are not among some links behind them, until there are so many; returns how many there are. */
function addOthers(links: usize, count: u32, most: u32, others: usize, length: u32): u32 {
  let all = count
  for (let i: u32 = 0; i < length && all < most; i++) {
    const other = itemOf(others, i)
    if (has(links, count, other)) continue
    setItem(links, all, other)
    all += 1
  }

  return all
}

function has(links: usize, count: u32, link: u32): bool {
  for (let i: u32 = 0; i < count; i++) if (itemOf(links, i) === link) return true
  return false
}
