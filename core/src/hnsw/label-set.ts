const FIRST_CAPACITY = 1024

/** A bitmap may take as many bits per label as the number it replaces; with fewer labels the numbers are kept, sorted. */
const BITS_PER_LABEL = 64

/**
 * The labels of an index, which are mostly 1 to n with gaps: at most 8 bytes each whatever their values, an eighth of a
 * byte each where they are dense. Build it with `add`; after the first lookup it is fixed.
 */
export class LabelSet {
  /** The largest label; 0 without labels. */
  max = 0
  private numbers = new Float64Array(FIRST_CAPACITY)
  private count = 0
  private bitmap: Uint8Array | undefined
  private isFixed = false
  private distinct = 0

  /** How many different labels there are. After the first look it is fixed, as by `has`. */
  get size(): number {
    if (!this.isFixed) this.fix()
    return this.distinct
  }

  /** Adds a label: an integer from 0 to 2^53 - 1. */
  add(label: number): void {
    if (this.isFixed) throw new Error('a LabelSet cannot grow after its first lookup')
    if (this.count === this.numbers.length) {
      const larger = new Float64Array(2 * this.count)
      larger.set(this.numbers)
      this.numbers = larger
    }

    this.numbers[this.count++] = label
    if (label > this.max) this.max = label
  }

  has(label: number): boolean {
    if (!this.isFixed) this.fix()
    if (this.bitmap) return ((this.bitmap[Math.floor(label / 8)] ?? 0) & (1 << (label % 8))) !== 0

    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.numbers[middle] ?? 0) < label) low = middle + 1
      else high = middle
    }

    return low < this.count && this.numbers[low] === label
  }

  private fix(): void {
    this.isFixed = true
    const used = this.numbers.subarray(0, this.count)
    if (this.max >= BITS_PER_LABEL * this.count) {
      this.numbers = used.toSorted()
      this.distinct = this.numbers.reduce(
        (count, label, i) => count + Number(i === 0 || label !== this.numbers[i - 1]),
        0,
      )
      return
    }

    const bitmap = new Uint8Array(Math.floor(this.max / 8) + 1)
    for (const label of used) {
      const at = Math.floor(label / 8)
      const bit = 1 << (label % 8)
      const bits = bitmap[at] ?? 0
      if ((bits & bit) === 0) this.distinct += 1
      bitmap[at] = bits | bit
    }

    this.bitmap = bitmap
    this.numbers = new Float64Array(0)
  }
}
