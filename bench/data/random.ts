/** Seeded random numbers (xorshift32): the same data on every machine. */
export class Random {
  private state: number

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring numbers, and 0 would stay 0.
    this.state = Math.imul(seed + 1, 0x9e_37_79_b1) | 1
  }

  /** An integer from 0 up to, but not including, `end`. */
  below(end: number): number {
    return Math.floor((this.u32() / 2 ** 32) * end)
  }

  /** Fills `floats` with numbers from -1 to 1. */
  fill(floats: Float32Array): void {
    for (let i = 0; i < floats.length; i++) floats[i] = this.u32() / 2 ** 31 - 1
  }

  /** An integer from 1 to 2^32 - 1. */
  u32(): number {
    let {state} = this
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.state = state
    return state >>> 0
  }

  /** A random UUID, as Chroma's clients use for ids. */
  uuid(): string {
    const bytes = Buffer.allocUnsafe(16)
    for (let at = 0; at < 16; at += 4) bytes.writeUInt32LE(this.u32(), at)
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
    const hex = bytes.toString('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }
}

// The same ids whenever it is called with the same seed.
export function* uuids(seed: number, count: number): Generator<string> {
  const random = new Random(seed)
  for (let i = 0; i < count; i++) yield random.uuid()
}
