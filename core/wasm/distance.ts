/**
 * The distance kernel: compiled by AssemblyScript (scripts/kernel.js) to WebAssembly with SIMD. Vectors are f32 in the
 * memory that the module imports, at byte addresses; any alignment and any dimension will do.
 */

export {firstNearer, openRows, roundedDistance, roundedDistances, roundRow} from './rounded'

/** Sum of the four lanes. */
function sum(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  )
}

/** 1 - the inner product of the vectors at `a` and `b`. */
export function ip(a: usize, b: usize, dimension: i32): f32 {
  // Four sums, because one alone waits for each addition to finish before the next.
  let s = f32x4.splat(0)
  let t = f32x4.splat(0)
  let u = f32x4.splat(0)
  let v = f32x4.splat(0)
  const end = a + ((<usize>dimension) << 2)
  for (; a + 64 <= end; a += 64, b += 64) {
    s = f32x4.add(s, f32x4.mul(v128.load(a), v128.load(b)))
    t = f32x4.add(t, f32x4.mul(v128.load(a, 16), v128.load(b, 16)))
    u = f32x4.add(u, f32x4.mul(v128.load(a, 32), v128.load(b, 32)))
    v = f32x4.add(v, f32x4.mul(v128.load(a, 48), v128.load(b, 48)))
  }

  for (; a + 16 <= end; a += 16, b += 16) s = f32x4.add(s, f32x4.mul(v128.load(a), v128.load(b)))
  let product = sum(f32x4.add(f32x4.add(s, t), f32x4.add(u, v)))
  for (; a < end; a += 4, b += 4) product += load<f32>(a) * load<f32>(b)
  return 1 - product
}

/** The squared Euclidean distance of the vectors at `a` and `b`. */
export function l2(a: usize, b: usize, dimension: i32): f32 {
  let s = f32x4.splat(0)
  let t = f32x4.splat(0)
  let u = f32x4.splat(0)
  let v = f32x4.splat(0)
  const end = a + ((<usize>dimension) << 2)
  for (; a + 64 <= end; a += 64, b += 64) {
    const d = f32x4.sub(v128.load(a), v128.load(b))
    const e = f32x4.sub(v128.load(a, 16), v128.load(b, 16))
    const f = f32x4.sub(v128.load(a, 32), v128.load(b, 32))
    const g = f32x4.sub(v128.load(a, 48), v128.load(b, 48))
    s = f32x4.add(s, f32x4.mul(d, d))
    t = f32x4.add(t, f32x4.mul(e, e))
    u = f32x4.add(u, f32x4.mul(f, f))
    v = f32x4.add(v, f32x4.mul(g, g))
  }

  for (; a + 16 <= end; a += 16, b += 16) {
    const d = f32x4.sub(v128.load(a), v128.load(b))
    s = f32x4.add(s, f32x4.mul(d, d))
  }

  let squares = sum(f32x4.add(f32x4.add(s, t), f32x4.add(u, v)))
  for (; a < end; a += 4, b += 4) {
    const d = load<f32>(a) - load<f32>(b)
    squares += d * d
  }

  return squares
}
