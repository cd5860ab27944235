import {randomInt} from 'node:crypto'

const FIRST_CAPACITY = 1024
const LANES = 4

/** Odd multipliers of known good mixers; the seeds differ from run to run, so that nobody can prepare ids that collide. */
const MULTIPLIERS = [0x85_eb_ca_6b, 0xc2_b2_ae_35, 0x27_d4_eb_2f, 0x16_56_67_b1] as const
const SEEDS = Array.from({length: LANES}, () => randomInt(2 ** 32))

/**
 * A map of ids to numbers that keeps a fingerprint of 128 bits instead of each id: 25 bytes an entry (and as many free
 * ones at most), whatever the length of the ids, where a `Map` takes several times that. Two different ids of ten
 * million have the same fingerprint once in 10^24 runs.
 *
 * Each entry also has a byte of marks for its user. Entries are addressed by slots, which `set` may move.
 */
export class IdTable {
  size = 0
  private capacity = FIRST_CAPACITY
  private lanes = new Uint32Array(LANES * FIRST_CAPACITY)
  private marks = new Uint8Array(FIRST_CAPACITY)
  private numbers = new Float64Array(FIRST_CAPACITY)
  private used = new Uint8Array(FIRST_CAPACITY)
  private readonly wanted = new Uint32Array(LANES)

  get(id: string): number | undefined {
    const slot = this.slotOf(id)
    return slot < 0 ? undefined : this.numbers[slot]
  }

  /** Sets the number of an id and returns its slot. */
  set(id: string, value: number): number {
    // A table that is three quarters full makes long searches.
    if (4 * (this.size + 1) > 3 * this.capacity) this.grow()
    this.fingerprint(id)
    const slot = this.search(this.wanted, 0)
    if (this.used[slot] === 0) {
      this.used[slot] = 1
      this.lanes.set(this.wanted, LANES * slot)
      this.size += 1
    }

    this.numbers[slot] = value
    return slot
  }

  /** The slot of an id, -1 without an entry. */
  slotOf(id: string): number {
    this.fingerprint(id)
    const slot = this.search(this.wanted, 0)
    return this.used[slot] === 0 ? -1 : slot
  }

  /** The slot of the id that has this slot in another table, -1 without an entry. */
  slotAs(other: IdTable, otherSlot: number): number {
    const slot = this.search(other.lanes, LANES * otherSlot)
    return this.used[slot] === 0 ? -1 : slot
  }

  valueAt(slot: number): number {
    return this.numbers[slot] as number
  }

  marksAt(slot: number): number {
    return this.marks[slot] as number
  }

  setMarks(slot: number, marks: number): void {
    this.marks[slot] = marks
  }

  /** @yields the slots of all entries */
  *slots(): Generator<number> {
    for (let slot = 0; slot < this.capacity; slot++) if (this.used[slot] !== 0) yield slot
  }

  /** @yields the numbers of all entries */
  *values(): Generator<number> {
    for (const slot of this.slots()) yield this.numbers[slot] as number
  }

  /** One loop for all lanes, each in a variable of its own: it is three times as fast as a loop over them. */
  private fingerprint(id: string): void {
    const [m0, m1, m2, m3] = MULTIPLIERS
    let [h0 = 0, h1 = 0, h2 = 0, h3 = 0] = SEEDS
    const {length} = id
    for (let i = 0; i < length; i++) {
      // eslint-disable-next-line unicorn/prefer-code-point -- halves of a pair are as good, and this is the inner loop
      const code = id.charCodeAt(i)
      h0 = rotate(Math.imul(h0 ^ code, m0))
      h1 = rotate(Math.imul(h1 ^ code, m1))
      h2 = rotate(Math.imul(h2 ^ code, m2))
      h3 = rotate(Math.imul(h3 ^ code, m3))
    }

    this.wanted[0] = finish(h0, length, m0)
    this.wanted[1] = finish(h1, length, m1)
    this.wanted[2] = finish(h2, length, m2)
    this.wanted[3] = finish(h3, length, m3)
  }

  /** The slot where these lanes are, or the free one where they belong. */
  private search(lanes: Uint32Array, at: number): number {
    const mask = this.capacity - 1
    for (let slot = (lanes[at] as number) & mask; ; slot = (slot + 1) & mask) {
      if (this.used[slot] === 0) return slot
      const own = LANES * slot
      let lane = 0
      while (lane < LANES && this.lanes[own + lane] === lanes[at + lane]) lane++
      if (lane === LANES) return slot
    }
  }

  private grow(): void {
    const {capacity, lanes, marks, numbers, used} = this
    this.capacity = 2 * capacity
    this.lanes = new Uint32Array(LANES * this.capacity)
    this.marks = new Uint8Array(this.capacity)
    this.numbers = new Float64Array(this.capacity)
    this.used = new Uint8Array(this.capacity)
    for (let slot = 0; slot < capacity; slot++) {
      if (used[slot] === 0) continue
      const to = this.search(lanes, LANES * slot)
      this.used[to] = 1
      for (let lane = 0; lane < LANES; lane++)
        this.lanes[LANES * to + lane] = lanes[LANES * slot + lane] as number
      this.marks[to] = marks[slot] as number
      this.numbers[to] = numbers[slot] as number
    }
  }
}

function rotate(hash: number): number {
  return (hash << 13) | (hash >>> 19)
}

function finish(hash: number, length: number, multiplier: number): number {
  const mixed = Math.imul(hash ^ length, multiplier)
  const spread = Math.imul(mixed ^ (mixed >>> 16), 0x85_eb_ca_6b)
  return spread ^ (spread >>> 13)
}
