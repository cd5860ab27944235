import {exactDistances, firstNearerExact} from './exact'
import {firstNearerRounded, roundedDistances} from './rounded'

let isRounded: bool = false

/** Says which of the two kinds of rows a repair compares. */
export function compareRounded(value: bool): void {
  isRounded = value
}

/** Distances of the rows whose numbers begin at `ids` to row `to`, written from `out` on, where three more have room. */
export function distances(ids: usize, count: u32, to: u32, out: usize): void {
  if (isRounded) roundedDistances(ids, count, to, out)
  else exactDistances(ids, count, to, out)
}

/** Position of the first of the rows whose numbers begin at `ids` that is nearer to row `to` than `distance`; -1 if none is. */
export function firstNearer(ids: usize, count: u32, to: u32, distance: f32): i32 {
  return isRounded ? firstNearerRounded(ids, count, to, distance) : firstNearerExact(ids, count, to, distance)
}
