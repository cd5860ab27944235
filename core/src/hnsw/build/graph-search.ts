import type {HnswGraph} from '../graph.js'

/** The nearest elements met so far, nearest first, up to the ef-th live one; deleted ones stand between them. */
class Nearest {
  readonly distances: number[] = []
  readonly ids: number[] = []
  private readonly isExpanded: boolean[] = []
  private live = 0

  constructor(
    private readonly deleted: Uint8Array,
    private readonly ef: number,
  ) {}

  add(id: number, distance: number): void {
    const isFull = this.live === this.ef
    if (isFull && !(distance < (this.distances.at(-1) as number))) return
    let at = this.ids.length
    while (at > 0 && (this.distances[at - 1] as number) > distance) at -= 1
    this.distances.splice(at, 0, distance)
    this.ids.splice(at, 0, id)
    this.isExpanded.splice(at, 0, false)
    if (this.deleted[id] === 0) this.live += 1
    while (this.live > this.ef || (this.live === this.ef && this.lastIsDeleted())) this.dropLast()
  }

  /** The nearest element whose links were not followed yet. */
  expand(): number | undefined {
    const at = this.isExpanded.indexOf(false)
    if (at === -1) return undefined
    this.isExpanded[at] = true
    return this.ids[at]
  }

  private dropLast(): void {
    if (!this.lastIsDeleted()) this.live -= 1
    this.distances.pop()
    this.ids.pop()
    this.isExpanded.pop()
  }

  private lastIsDeleted(): boolean {
    return this.deleted[this.ids.at(-1) as number] !== 0
  }
}

/** Distances of some elements to what is searched for, at the same places. */
export type DistancesOf = (ids: readonly number[]) => Float32Array

/**
 * Searches a graph as hnswlib does: down the levels to the nearest element, then on level 0 with a list of `ef`.
 * Returns the distances of the `k` nearest live elements it finds, nearest first.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`searchKnn`, `searchBaseLayerST`).
 */
export function searchGraph(
  graph: HnswGraph,
  distancesOf: DistancesOf,
  {ef, k}: {ef: number; k: number},
): number[] {
  const {curElementCount, enterpoint, maxLevel, maxM, maxM0} = graph.header
  if (curElementCount === 0) return []
  let nearest = enterpoint
  let [distance = Infinity] = distancesOf([nearest])
  for (let level = maxLevel; level > 0; level--) {
    for (let from = -1; from !== nearest;) {
      from = nearest
      const list = ((graph.upperStart[from] as number) + level - 1) * (maxM + 1)
      const end = list + (graph.upperLists[list] as number)
      const candidates = [...graph.upperLists.subarray(list + 1, end + 1)]
      for (const [i, itsDistance] of distancesOf(candidates).entries()) {
        if (itsDistance >= distance) continue
        distance = itsDistance
        nearest = candidates[i] as number
      }
    }
  }

  const seen = new Uint8Array(curElementCount)
  const found = new Nearest(graph.deleted, Math.max(ef, k))
  seen[nearest] = 1
  found.add(nearest, distance)
  for (let id = found.expand(); id !== undefined; id = found.expand()) {
    const from = id * maxM0
    const end = from + (graph.level0Counts[id] as number)
    const candidates: number[] = []
    for (let i = from; i < end; i++) {
      const candidate = graph.level0Links[i] as number
      if (seen[candidate] !== 0) continue
      seen[candidate] = 1
      candidates.push(candidate)
    }

    const distances = distancesOf(candidates)
    for (const [i, candidate] of candidates.entries()) found.add(candidate, distances[i] as number)
  }

  return found.distances.filter((_, i) => graph.deleted[found.ids[i] as number] === 0).slice(0, k)
}
