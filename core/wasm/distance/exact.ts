/**
 * Distances of vectors of f32, by the numbers of their rows, of any size and alignment: the squared Euclidean one, or
 * 1 - the inner product. One that is asked for alone may differ by a rounding error from the same among several.
 */

let dimension: usize = 0
let rowSize: usize = 0
let vectorAt: usize = 0
let isL2: bool = false

/** To be called first: of how many numbers a vector is, how many bytes a row takes, and where in it the vector begins. */
export function openExact(
  dimensionOfRows: usize,
  sizeOfRows: usize,
  vectorInRow: usize,
  isSquared: bool,
): void {
  dimension = dimensionOfRows
  rowSize = sizeOfRows
  vectorAt = vectorInRow
  isL2 = isSquared
}

export function exactDistance(i: usize, j: usize): f32 {
  return isL2 ? Kind.distance(true, vectorOf(i), vectorOf(j)) : Kind.distance(false, vectorOf(i), vectorOf(j))
}

/** Distances of the rows whose numbers begin at `ids` to row `to`, written from `out` on, where three more have room. */
export function exactDistances(ids: usize, count: usize, to: usize, out: usize): void {
  if (isL2) Kind.distances(true, ids, count, vectorOf(to), out)
  else Kind.distances(false, ids, count, vectorOf(to), out)
}

/** Position of the first of the rows whose numbers begin at `ids` that is nearer to row `to` than `distance`; -1 if none is. */
export function firstNearerExact(ids: usize, count: i32, to: usize, distance: f32): i32 {
  for (let i = 0; i < count; i++) {
    if (exactDistance(<usize>load<u32>(ids + ((<usize>i) << 2)), to) < distance) return i
  }

  return -1
}

function vectorOf(row: usize): usize {
  return row * rowSize + vectorAt
}

/** Sum of the lanes of two sums. */
function total(s: v128, t: v128): f32 {
  const sums = f32x4.add(s, t)
  return (
    f32x4.extract_lane(sums, 0) +
    f32x4.extract_lane(sums, 1) +
    (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3))
  )
}

/** Everything here is compiled once for each kind of distance, so that no loop asks which it is. */
class Kind {
  /** Four sums, because one alone waits for each addition to finish before the next. */
  @inline static distance(isSquared: bool, a: usize, b: usize): f32 {
    let s = f32x4.splat(0)
    let t = f32x4.splat(0)
    let u = f32x4.splat(0)
    let v = f32x4.splat(0)
    const end = a + (dimension << 2)
    for (; a + 64 <= end; a += 64, b += 64) {
      s = f32x4.add(s, Kind.term(isSquared, v128.load(a), v128.load(b)))
      t = f32x4.add(t, Kind.term(isSquared, v128.load(a, 16), v128.load(b, 16)))
      u = f32x4.add(u, Kind.term(isSquared, v128.load(a, 32), v128.load(b, 32)))
      v = f32x4.add(v, Kind.term(isSquared, v128.load(a, 48), v128.load(b, 48)))
    }

    for (; a + 16 <= end; a += 16, b += 16) s = f32x4.add(s, Kind.term(isSquared, v128.load(a), v128.load(b)))
    return Kind.finish(isSquared, total(f32x4.add(s, u), f32x4.add(t, v)), a, b, end)
  }

  /** Four rows at a time, each with two sums, are on their way from memory together. */
  @inline static distances(isSquared: bool, ids: usize, count: usize, to: usize, out: usize): void {
    const last = ids + (count << 2) - 4
    for (; ids <= last; ids += 16, out += 16) {
      let a = vectorOf(<usize>load<u32>(ids))
      // What is missing to the fourth is the last once more, so that no distance depends on its place.
      let b = vectorOf(<usize>load<u32>(min(ids + 4, last)))
      let c = vectorOf(<usize>load<u32>(min(ids + 8, last)))
      let d = vectorOf(<usize>load<u32>(min(ids + 12, last)))
      let row = to
      let s = f32x4.splat(0)
      let t = f32x4.splat(0)
      let u = f32x4.splat(0)
      let v = f32x4.splat(0)
      let w = f32x4.splat(0)
      let x = f32x4.splat(0)
      let y = f32x4.splat(0)
      let z = f32x4.splat(0)
      const end = to + (dimension << 2)
      for (; row + 32 <= end; a += 32, b += 32, c += 32, d += 32, row += 32) {
        let four = v128.load(row)
        s = f32x4.add(s, Kind.term(isSquared, v128.load(a), four))
        t = f32x4.add(t, Kind.term(isSquared, v128.load(b), four))
        u = f32x4.add(u, Kind.term(isSquared, v128.load(c), four))
        v = f32x4.add(v, Kind.term(isSquared, v128.load(d), four))
        four = v128.load(row, 16)
        w = f32x4.add(w, Kind.term(isSquared, v128.load(a, 16), four))
        x = f32x4.add(x, Kind.term(isSquared, v128.load(b, 16), four))
        y = f32x4.add(y, Kind.term(isSquared, v128.load(c, 16), four))
        z = f32x4.add(z, Kind.term(isSquared, v128.load(d, 16), four))
      }

      if (row + 16 <= end) {
        const four = v128.load(row)
        s = f32x4.add(s, Kind.term(isSquared, v128.load(a), four))
        t = f32x4.add(t, Kind.term(isSquared, v128.load(b), four))
        u = f32x4.add(u, Kind.term(isSquared, v128.load(c), four))
        v = f32x4.add(v, Kind.term(isSquared, v128.load(d), four))
        a += 16
        b += 16
        c += 16
        d += 16
        row += 16
      }

      store<f32>(out, Kind.finish(isSquared, total(s, w), row, a, end))
      store<f32>(out, Kind.finish(isSquared, total(t, x), row, b, end), 4)
      store<f32>(out, Kind.finish(isSquared, total(u, y), row, c, end), 8)
      store<f32>(out, Kind.finish(isSquared, total(v, z), row, d, end), 12)
    }
  }

  /** Adds what is left of two vectors and makes the sum a distance; what is no number, because it is out of range, is infinite. */
  @inline static finish(isSquared: bool, sum: f32, a: usize, b: usize, end: usize): f32 {
    for (; a < end; a += 4, b += 4) {
      const difference = load<f32>(a) - load<f32>(b)
      sum += isSquared ? difference * difference : load<f32>(a) * load<f32>(b)
    }

    const distance: f32 = isSquared ? sum : 1 - sum
    return isNaN(distance) ? <f32>Infinity : distance
  }

  /** What four numbers of two vectors add. */
  @inline static term(isSquared: bool, a: v128, b: v128): v128 {
    if (!isSquared) return f32x4.mul(a, b)
    const difference = f32x4.sub(a, b)
    return f32x4.mul(difference, difference)
  }
}
