/**
 * Distances of vectors that are rounded to 16 bits, by the numbers of their rows: half the memory to read, and half the
 * instructions. Row i is at `2 * dimension * i`; its distance to row j is bias(i) + bias(j) - factor(i) * factor(j) * the
 * inner product. That product stays within 32 bits, because no row is longer than 2^15.
 */

let dimension: usize = 0
let factors: usize = 0
let biases: usize = 0

/** To be called first: how long a row is, and where an f32 for each row tells what it takes to make it a distance. */
export function openRounded(dimensionOfRows: usize, addressOfFactors: usize, addressOfBiases: usize): void {
  dimension = dimensionOfRows
  factors = addressOfFactors
  biases = addressOfBiases
}

/**
 * Rounds the vector of f32 at `vector` to row `row`, as long as `length`, and stores what makes its products distances:
 * those of l2, or 1 - the inner product. In f64, whose range holds the square of any f32.
 */
export function roundRow(vector: usize, row: usize, length: f64, isL2: bool): void {
  const end = vector + (dimension << 2)
  let to = row * (dimension << 1)
  const squared = squares(vector, end)
  const scale = squared > 0 ? length / sqrt(squared) : 0
  const scales = f64x2.splat(scale)
  let s = i32x4.splat(0)
  let rounded = 0
  for (; vector + 16 <= end; vector += 16, to += 8) {
    const low = f64x2.promote_low_f32x4(v128.load64_zero(vector))
    const high = f64x2.promote_low_f32x4(v128.load64_zero(vector, 8))
    const a = i32x4.trunc_sat_f64x2_s_zero(f64x2.nearest(f64x2.mul(low, scales)))
    const b = i32x4.trunc_sat_f64x2_s_zero(f64x2.nearest(f64x2.mul(high, scales)))
    const numbers = i16x8.narrow_i32x4_s(v128.shuffle<i64>(a, b, 0, 2), i32x4.splat(0))
    s = i32x4.add(s, i32x4.dot_i16x8_s(numbers, numbers))
    v128.store64_lane(to, numbers, 0)
  }

  for (; vector < end; vector += 4, to += 2) {
    const number = <i32>nearest(<f64>load<f32>(vector) * scale)
    store<i16>(to, number)
    rounded += number * number
  }

  rounded += sum(s)
  const factor = sqrt(squared) / length
  // The squared length of a - b is that of a plus that of b less twice their inner product.
  store<f32>(factors + (row << 2), <f32>(isL2 ? Math.SQRT2 * factor : factor))
  store<f32>(biases + (row << 2), <f32>(isL2 ? factor * factor * <f64>rounded : 0.5))
}

function squares(vector: usize, end: usize): f64 {
  let s = f64x2.splat(0)
  let t = f64x2.splat(0)
  for (; vector + 16 <= end; vector += 16) {
    const low = f64x2.promote_low_f32x4(v128.load64_zero(vector))
    const high = f64x2.promote_low_f32x4(v128.load64_zero(vector, 8))
    s = f64x2.add(s, f64x2.mul(low, low))
    t = f64x2.add(t, f64x2.mul(high, high))
  }

  s = f64x2.add(s, t)
  let squared = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1)
  for (; vector < end; vector += 4) squared += <f64>load<f32>(vector) * <f64>load<f32>(vector)
  return squared
}

function sum(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) +
    i32x4.extract_lane(v, 1) +
    (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3))
  )
}

/** What is no number, because it is out of the range of f32, counts as farther than anything else. */
function toDistance(i: usize, j: usize, product: i32): f32 {
  const bias = load<f32>(biases + (i << 2)) + load<f32>(biases + (j << 2))
  const distance = bias - load<f32>(factors + (i << 2)) * load<f32>(factors + (j << 2)) * <f32>product
  return isNaN(distance) ? f32.MAX_VALUE : distance
}

export function roundedDistance(i: usize, j: usize): f32 {
  let a = i * (dimension << 1)
  let b = j * (dimension << 1)
  const end = a + (dimension << 1)
  let s = i32x4.splat(0)
  let t = i32x4.splat(0)
  for (; a + 32 <= end; a += 32, b += 32) {
    s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(a), v128.load(b)))
    t = i32x4.add(t, i32x4.dot_i16x8_s(v128.load(a, 16), v128.load(b, 16)))
  }

  if (a + 16 <= end) {
    s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(a), v128.load(b)))
    a += 16
    b += 16
  }

  let product = sum(i32x4.add(s, t))
  for (; a < end; a += 2, b += 2) product += <i32>load<i16>(a) * <i32>load<i16>(b)
  return toDistance(i, j, product)
}

/** Distances of the rows whose numbers begin at `ids` to row `to`, written from `out` on. Four at a time share its loads. */
export function roundedDistances(ids: usize, count: usize, to: usize, out: usize): void {
  const size = dimension << 1
  const end = ids + (count << 2)
  for (; ids + 16 <= end; ids += 16, out += 16) {
    const i = <usize>load<u32>(ids)
    const j = <usize>load<u32>(ids, 4)
    const k = <usize>load<u32>(ids, 8)
    const l = <usize>load<u32>(ids, 12)
    let at = to * size
    const endOfRow = at + size
    let a = i * size
    let b = j * size
    let c = k * size
    let d = l * size
    let s = i32x4.splat(0)
    let t = i32x4.splat(0)
    let u = i32x4.splat(0)
    let v = i32x4.splat(0)
    for (; at + 16 <= endOfRow; at += 16, a += 16, b += 16, c += 16, d += 16) {
      const row = v128.load(at)
      s = i32x4.add(s, i32x4.dot_i16x8_s(row, v128.load(a)))
      t = i32x4.add(t, i32x4.dot_i16x8_s(row, v128.load(b)))
      u = i32x4.add(u, i32x4.dot_i16x8_s(row, v128.load(c)))
      v = i32x4.add(v, i32x4.dot_i16x8_s(row, v128.load(d)))
    }

    let ofA = sum(s)
    let ofB = sum(t)
    let ofC = sum(u)
    let ofD = sum(v)
    for (; at < endOfRow; at += 2, a += 2, b += 2, c += 2, d += 2) {
      const value = <i32>load<i16>(at)
      ofA += value * <i32>load<i16>(a)
      ofB += value * <i32>load<i16>(b)
      ofC += value * <i32>load<i16>(c)
      ofD += value * <i32>load<i16>(d)
    }

    store<f32>(out, toDistance(i, to, ofA))
    store<f32>(out, toDistance(j, to, ofB), 4)
    store<f32>(out, toDistance(k, to, ofC), 8)
    store<f32>(out, toDistance(l, to, ofD), 12)
  }

  for (; ids < end; ids += 4, out += 4) store<f32>(out, roundedDistance(<usize>load<u32>(ids), to))
}

/** Position of the first of the rows whose numbers begin at `ids` that is nearer to row `to` than `distance`; -1 if none is. */
export function firstNearerRounded(ids: usize, count: i32, to: usize, distance: f32): i32 {
  for (let i = 0; i < count; i++) {
    if (roundedDistance(<usize>load<u32>(ids + ((<usize>i) << 2)), to) < distance) return i
  }

  return -1
}
