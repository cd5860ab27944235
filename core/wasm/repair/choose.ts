/**
 * First step of a repair: gives elements of the new graph their links. Live neighbours stay as they are: choosing among
 * them once more would lose links that lead far. Each deleted one is replaced by the nearest element behind it, for the
 * same reason; more are chosen from behind them, by the heuristic. It reads the old graph alone and writes the lists of
 * its elements alone.
 */
import {itemOf, setItem} from '../lists'
import {elementAt, next, setKept} from './job'
import {addCandidates, beginChoice, fillUp, keep, measure, nearestOf, openChoice} from './neighbours'
import {
  behind,
  behindCount,
  behindKept,
  endsOfLost,
  endsOfLostCount,
  keptCount,
  look,
  lost,
  mostOfBehind,
  openSurroundings,
} from './surroundings'

/** Most new links in place of a lost one. */
const LINKS_FOR_LOST: u32 = 2

/** Of the elements behind deleted ones so many are tried, the nearest first: more where more was lost. */
function mostCandidates(lost: u32): u32 {
  return 32 + 16 * lost
}

/** Room that a thread needs for the step, in bytes, zeros at first. */
export function bytesToChoose(): usize {
  return openRoom(0)
}

/** Does the step for the elements at some places of the order, in a room of this thread alone. */
export function chooseLinks(room: usize, from: u32, to: u32): void {
  openRoom(room)
  for (let place = from; place < to; place++) {
    const id = elementAt(place)
    for (let level = next.level(id); level >= 0; level--) chooseOnLevel(level, id)
  }
}

function openRoom(at: usize): usize {
  return openSurroundings(openChoice(at, mostOfBehind()))
}

function chooseOnLevel(level: i32, id: u32): void {
  look(level, id)
  setKept(next.number(level, id), keptCount)
  next.setCount(level, id, lost === 0 ? keptCount : replaceLost(level, id))
}

/** Puts links behind those that were kept; returns how many there are then. */
function replaceLost(level: i32, id: u32): u32 {
  const links = next.links(level, id)
  const most = min(next.capacity(level), keptCount + LINKS_FOR_LOST * lost)
  let count = keptCount
  beginChoice(mostCandidates(lost))
  for (let i: u32 = 0; i < count; i++) keep(itemOf(links, i))
  measure(behind, behindCount, id)
  addCandidates(0, behindKept)
  let from = behindKept
  for (let i: u32 = 0; i < endsOfLostCount; i++) {
    const to = itemOf(endsOfLost, i)
    const nearest = nearestOf(from, to)
    addCandidates(from, nearest)
    addCandidates(nearest + 1, to)
    from = to
    if (count === most) continue
    const heir = itemOf(behind, nearest)
    setItem(links, count, heir)
    keep(heir)
    count += 1
  }

  addCandidates(from, behindCount)
  return fillUp(links, count, most)
}
