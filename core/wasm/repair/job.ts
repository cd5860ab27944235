import {itemOf, setItem} from '../lists'
import {Graph} from './graph'
import {compareRounded} from '../distance/rows'

/** No element: in `newIds` one that does not go on. */
export const NONE: u32 = 0xff_ff_ff_ff

/** Addresses of arrays that the threads of a repair share, see `prepareRepair` of core/src/hnsw/repair, which writes them here. */
@unmanaged
class Job {
  newIds: usize
  oldIds: usize
  kept: usize
  order: usize
}

export let old: Graph = changetype<Graph>(0)
export let next: Graph = changetype<Graph>(0)
let job: Job = changetype<Job>(0)

/** To be called first, when the rows are open, with the addresses of both graphs and of the rest. */
export function openRepair(
  addressOfOld: usize,
  addressOfNext: usize,
  addressOfJob: usize,
  isRounded: bool,
): void {
  old = changetype<Graph>(addressOfOld)
  next = changetype<Graph>(addressOfNext)
  job = changetype<Job>(addressOfJob)
  compareRounded(isRounded)
}

export function newIdOf(oldId: u32): u32 {
  return itemOf(job.newIds, oldId)
}

export function oldIdOf(id: u32): u32 {
  return itemOf(job.oldIds, id)
}

export function addToOrder(place: u32, id: u32): void {
  setItem(job.order, place, id)
}

/** The element that is worked on at a place. */
export function elementAt(place: u32): u32 {
  return itemOf(job.order, place)
}

export function keptOf(list: u32): u32 {
  return load<u16>(job.kept + ((<usize>list) << 1))
}

export function setKept(list: u32, count: u32): void {
  store<u16>(job.kept + ((<usize>list) << 1), <u16>count)
}
