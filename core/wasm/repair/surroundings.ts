/** What the old graph tells about an element on a level. Ids in the lists are of the new graph. */
import {addressIn, itemOf, lengthOf, setItem} from '../lists'
import {newIdOf, next, NONE, old, oldIdOf} from './job'

/** Deleted elements are passed through so many deep, and deeper only where nothing has been found yet. */
const DEPTH = 2

/** An element that lost at least so many neighbours also looks at the neighbours of some that it still has. */
const BADLY_HIT: u32 = 2

const KEPT_LOOKED_BEHIND: u32 = 4

/** Live elements behind live neighbours, where many are gone, and behind the deleted ones; last those further away. */
export let behind: usize = 0
export let behindCount: u32 = 0
/** Number of those in `behind` that are behind live neighbours; they come first. */
export let behindKept: u32 = 0
/** Where in `behind` those end that are behind each deleted neighbour; it is left out where there are none. */
export let endsOfLost: usize = 0
export let endsOfLostCount: u32 = 0
/** Number of live neighbours, which are the first in the list of the new graph. */
export let keptCount: u32 = 0
/** Number of neighbours that are gone. */
export let lost: u32 = 0

/** By old id the last turn that met it. */
let seen: usize = 0
let turn: u32 = 0
/** Deleted elements that were met, in that order. */
let gone: usize = 0
let goneEnd: usize = 0
let goneLimit: usize = 0

/** No more deleted elements are passed through: where no live one is near, another step connects what nothing leads to. */
const MOST_GONE: u32 = 65_536

/** Once that many live elements were found behind deleted ones, no more are looked for: the rest costs more than it brings. */
function mostBehind(lost: u32): u32 {
  return 128 + 64 * lost
}

/** Most that `behind` has to hold: all behind the neighbours, or as many as are looked for and a list more. */
export function mostOfBehind(): u32 {
  const most = max((KEPT_LOOKED_BEHIND + old.maxM0) * old.maxM0, mostBehind(old.maxM0) + old.maxM0)
  return min(old.elements, most)
}

/** Sets memory aside from an address on, where there are zeros at first; returns where it ends. */
export function openSurroundings(at: usize): usize {
  seen = at
  gone = addressIn(seen, old.elements)
  goneLimit = addressIn(gone, min(old.elements, MOST_GONE))
  behind = goneLimit
  endsOfLost = addressIn(behind, mostOfBehind())
  return addressIn(endsOfLost, old.maxM0)
}

/** Looks at an element; puts its live neighbours into its list of the new graph, and fills the rest. */
export function look(level: i32, id: u32): void {
  const oldId = oldIdOf(id)
  const kept = next.links(level, id)
  turn += 1
  setItem(seen, oldId, turn)
  goneEnd = gone
  keptCount = lengthOf(kept, follow(level, oldId, kept))
  lost = lengthOf(gone, goneEnd)
  endsOfLostCount = 0
  let end = behind
  if (lost >= BADLY_HIT) end = lookBehindKept(level, kept)
  behindKept = lengthOf(behind, end)
  behindCount = lengthOf(behind, lookBehindLost(level, end))
}

function lookBehindKept(level: i32, kept: usize): usize {
  let end = behind
  const goneBefore = goneEnd
  for (let i: u32 = 0; i < min(keptCount, KEPT_LOOKED_BEHIND); i++)
    end = follow(level, oldIdOf(itemOf(kept, i)), end)
  goneEnd = goneBefore
  return end
}

function lookBehindLost(level: i32, end: usize): usize {
  const enough = addressIn(behind, mostBehind(lost))
  let at = gone
  for (let depth = 0; at < goneEnd && (depth < DEPTH || end === behind); depth++) {
    for (const last = goneEnd; at < last; at += 4) {
      if (depth > 0 && end >= enough) return end
      const endBefore = end
      end = follow(level, load<u32>(at), end)
      if (depth > 0 || end === endBefore) continue
      setItem(endsOfLost, endsOfLostCount, lengthOf(behind, end))
      endsOfLostCount += 1
    }
  }

  return end
}

/** Goes along the links of an element of the old graph: live ones are written from `end` on, of which the new end is returned. */
function follow(level: i32, oldId: u32, end: usize): usize {
  let link = old.links(level, oldId)
  for (const last = addressIn(link, old.count(level, oldId)); link < last; link += 4) {
    const target = load<u32>(link)
    if (itemOf(seen, target) === turn) continue
    setItem(seen, target, turn)
    const id = newIdOf(target)
    if (id !== NONE) {
      store<u32>(end, id)
      end += 4
    } else if (goneEnd < goneLimit) {
      store<u32>(goneEnd, target)
      goneEnd += 4
    }
  }

  return end
}
