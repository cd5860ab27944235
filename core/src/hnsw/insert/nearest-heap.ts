/** Elements by their distance, the nearest first: a binary heap that is filled once and emptied as far as needed. */
export class NearestHeap {
  size = 0
  private distances = new Float64Array(256)
  private ids = new Uint32Array(256)

  clear(): void {
    this.size = 0
  }

  /** Distance of the nearest element. */
  get distance(): number {
    return this.distances[0] as number
  }

  /** The nearest element, which leaves the heap. */
  pop(): number {
    const {distances, ids} = this
    const nearest = ids[0] as number
    this.size -= 1
    const id = ids[this.size] as number
    const distance = distances[this.size] as number
    let at = 0
    for (let child = 1; child < this.size; child = 2 * at + 1) {
      if (child + 1 < this.size && (distances[child + 1] as number) < (distances[child] as number)) child += 1
      if ((distances[child] as number) >= distance) break
      distances[at] = distances[child] as number
      ids[at] = ids[child] as number
      at = child
    }

    distances[at] = distance
    ids[at] = id
    return nearest
  }

  push(id: number, distance: number): void {
    if (this.size === this.ids.length) this.grow()
    const {distances, ids} = this
    let at = this.size
    this.size += 1
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if ((distances[parent] as number) <= distance) break
      distances[at] = distances[parent] as number
      ids[at] = ids[parent] as number
      at = parent
    }

    distances[at] = distance
    ids[at] = id
  }

  private grow(): void {
    const distances = new Float64Array(2 * this.ids.length)
    const ids = new Uint32Array(2 * this.ids.length)
    distances.set(this.distances)
    ids.set(this.ids)
    this.distances = distances
    this.ids = ids
  }
}
