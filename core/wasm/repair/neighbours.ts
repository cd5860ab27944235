/**
 * hnswlib's choice of neighbours: the nearest candidate first, and each only if it is nearer to the element than to
 * every neighbour it already has, so that links lead into all directions. `NeighbourChoice` of core/src/hnsw/insert does
 * the same where elements are inserted, also into an index that is too large for this memory.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`getNeighborsByHeuristic2`).
 */
import {addressIn, floatOf, itemOf, setItem} from '../lists'
import {next, NONE} from './job'
import {distances, firstNearer} from '../distance/rows'

/** Address of the candidates' keys, of 64 bits: as they come at first, then as a heap with the nearest on top. */
let candidates: usize = 0
let size: u32 = 0
let isHeap: bool = false
/** How many candidates will still be looked at. */
let tries: u32 = 0
let neighbours: usize = 0
let count: u32 = 0
/** What `measure` was given, and its distances. */
let measured: usize = 0
let found: usize = 0

/** Sets memory aside from an address on, for so many candidates and a full list of neighbours; returns where it ends. */
export function openChoice(at: usize, most: u32): usize {
  candidates = at
  found = candidates + ((<usize>most) << 3)
  // The distances of four are written at a time.
  neighbours = addressIn(found, most + 3)
  return addressIn(neighbours, next.maxM0)
}

/** Begins with another element. */
export function beginChoice(mostTries: u32): void {
  size = 0
  isHeap = false
  tries = mostTries
  count = 0
}

/** Finds the distances of the elements of a list to one; they stay in that list until they are candidates. */
export function measure(list: usize, length: u32, id: u32): void {
  measured = list
  distances(list, length, id, found)
}

/** Which of some that were measured is nearest. */
export function nearestOf(from: u32, to: u32): u32 {
  let nearest = from
  for (let i = from + 1; i < to; i++) if (floatOf(found, i) < floatOf(found, nearest)) nearest = i
  return nearest
}

/** Counts an element as a neighbour without asking. */
export function keep(id: u32): void {
  setItem(neighbours, count, id)
  count += 1
}

/** Makes some that were measured candidates, before the first call of `fillUp`. */
export function addCandidates(from: u32, to: u32): void {
  for (let i = from; i < to; i++) {
    store<u64>(candidates + ((<usize>size) << 3), keyOf(itemOf(measured, i), floatOf(found, i)))
    size += 1
  }
}

/** Puts neighbours among the candidates behind the first of some links, until there are so many; returns how many there are. */
export function fillUp(links: usize, length: u32, most: u32): u32 {
  for (; length < most; length++) {
    const chosen = nextNeighbour()
    if (chosen === NONE) break
    setItem(links, length, chosen)
  }

  return length
}

/** Writes the elements of a list elsewhere in the order of their distances to one, the farthest first. */
export function sortFarthestFirst(list: usize, length: u32, id: u32, sorted: usize): void {
  beginChoice(0)
  measure(list, length, id)
  addCandidates(0, length)
  makeHeap()
  for (let left = length; left > 0; left--) setItem(sorted, left - 1, <u32>pop())
}

/** The next candidate that is a neighbour as well; NONE when none of the rest is. */
function nextNeighbour(): u32 {
  if (!isHeap) makeHeap()
  for (; size > 0 && tries > 0; tries--) {
    const key = pop()
    const id = <u32>key
    const rival = firstNearer(neighbours, count, id, distanceOf(key))
    if (rival === -1) {
      keep(id)
      return id
    }

    // Neighbours are in any order: one that has just ruled a candidate out comes first, as it may the next one too.
    const at = addressIn(neighbours, rival)
    const first = load<u32>(neighbours)
    store<u32>(neighbours, load<u32>(at))
    store<u32>(at, first)
  }

  return NONE
}

function makeHeap(): void {
  for (let at = size >> 1; at > 0;) siftDown(--at, load<u64>(candidates + ((<usize>at) << 3)))
  isHeap = true
}

function pop(): u64 {
  const nearest = load<u64>(candidates)
  size -= 1
  siftDown(0, load<u64>(candidates + ((<usize>size) << 3)))
  return nearest
}

/** Puts a key where the heap has a gap, or below. */
function siftDown(at: u32, key: u64): void {
  for (let child: u32 = 2 * at + 1; child < size; child = 2 * at + 1) {
    const address = candidates + ((<usize>child) << 3)
    let smaller = load<u64>(address)
    if (child + 1 < size) {
      const other = load<u64>(address, 8)
      child += <u32>(other < smaller)
      smaller = min(other, smaller)
    }

    if (smaller >= key) break
    store<u64>(candidates + ((<usize>at) << 3), smaller)
    at = child
  }

  store<u64>(candidates + ((<usize>at) << 3), key)
}

/** Keys are in the order of the distances, and of the ids where those are equal. */
function keyOf(id: u32, distance: f32): u64 {
  const bits = reinterpret<u32>(distance)
  // Bits of negative numbers grow the other way round.
  const ordered = bits ^ ((<u32>((<i32>bits) >> 31)) | 0x80_00_00_00)
  return ((<u64>ordered) << 32) | id
}

function distanceOf(key: u64): f32 {
  const ordered = <u32>(key >> 32)
  return reinterpret<f32>(ordered & 0x80_00_00_00 ? ordered ^ 0x80_00_00_00 : ~ordered)
}
