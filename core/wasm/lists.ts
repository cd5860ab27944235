/** Lists of u32 and of f32, by the addresses where they begin. */

export function itemOf(list: usize, i: u32): u32 {
  return load<u32>(addressIn(list, i))
}

export function setItem(list: usize, i: u32, value: u32): void {
  store<u32>(addressIn(list, i), value)
}

export function floatOf(list: usize, i: u32): f32 {
  return load<f32>(addressIn(list, i))
}

/** Where an item is, and behind how many the list ends. */
export function addressIn(list: usize, i: u32): usize {
  return list + ((<usize>i) << 2)
}

/** Number of items up to the end of a list. */
export function lengthOf(list: usize, end: usize): u32 {
  return <u32>((end - list) >> 2)
}
