/**
 * Distances of vectors of f32, by the numbers of their rows, of any size and alignment: the squared Euclidean one, or
 * 1 - the inner product. Where several are asked for, each is the same as where it is asked for alone.
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

/** Distances of the rows whose numbers begin at `ids` to row `to`, written from `out` on. */
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

/** Sum of all lanes. */
function total(s: v128, t: v128, u: v128, v: v128): f32 {
  const sums = f32x4.add(f32x4.add(s, t), f32x4.add(u, v))
  return (
    f32x4.extract_lane(sums, 0) +
    f32x4.extract_lane(sums, 1) +
    (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3))
  )
}

/** Everything here is compiled once for each kind of distance, so that no loop asks which it is. */
class Kind {
  // Four sums, because one alone waits for each addition to finish before the next.
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
    return Kind.finish(isSquared, total(s, t, u, v), a, b, end)
  }

  /** Two at a time share the loads of the row that they are compared with. */
  @inline static distances(isSquared: bool, ids: usize, count: usize, to: usize, out: usize): void {
    const last = ids + (count << 2)
    for (; ids + 8 <= last; ids += 8, out += 8) {
      let a = vectorOf(<usize>load<u32>(ids))
      let b = vectorOf(<usize>load<u32>(ids, 4))
      let c = to
      let s = f32x4.splat(0)
      let t = f32x4.splat(0)
      let u = f32x4.splat(0)
      let v = f32x4.splat(0)
      let w = f32x4.splat(0)
      let x = f32x4.splat(0)
      let y = f32x4.splat(0)
      let z = f32x4.splat(0)
      const end = a + (dimension << 2)
      for (; a + 64 <= end; a += 64, b += 64, c += 64) {
        let row = v128.load(c)
        s = f32x4.add(s, Kind.term(isSquared, v128.load(a), row))
        w = f32x4.add(w, Kind.term(isSquared, v128.load(b), row))
        row = v128.load(c, 16)
        t = f32x4.add(t, Kind.term(isSquared, v128.load(a, 16), row))
        x = f32x4.add(x, Kind.term(isSquared, v128.load(b, 16), row))
        row = v128.load(c, 32)
        u = f32x4.add(u, Kind.term(isSquared, v128.load(a, 32), row))
        y = f32x4.add(y, Kind.term(isSquared, v128.load(b, 32), row))
        row = v128.load(c, 48)
        v = f32x4.add(v, Kind.term(isSquared, v128.load(a, 48), row))
        z = f32x4.add(z, Kind.term(isSquared, v128.load(b, 48), row))
      }

      for (; a + 16 <= end; a += 16, b += 16, c += 16) {
        const row = v128.load(c)
        s = f32x4.add(s, Kind.term(isSquared, v128.load(a), row))
        w = f32x4.add(w, Kind.term(isSquared, v128.load(b), row))
      }

      store<f32>(out, Kind.finish(isSquared, total(s, t, u, v), a, c, end))
      store<f32>(out, Kind.finish(isSquared, total(w, x, y, z), b, c, b + (end - a)), 4)
    }

    if (ids < last) store<f32>(out, Kind.distance(isSquared, vectorOf(<usize>load<u32>(ids)), to))
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
