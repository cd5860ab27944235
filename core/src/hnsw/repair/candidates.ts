import {NONE, type RepairJob} from './job.js'
import {LinkLists} from './link-lists.js'

/** Deleted elements are passed through so many deep, and deeper only where nothing has been found yet. */
const DEPTH = 2

/** Once that many live elements were found behind deleted ones, no more are looked for: the rest costs more than it brings. */
const mostBehind = (lost: number) => 128 + 64 * lost

/** An element that lost at least so many neighbours also looks at the neighbours of some that it still has. */
const BADLY_HIT = 2

const KEPT_LOOKED_BEHIND = 4

/** What the old graph tells about one element on one level: all ids are of the new graph. */
export class Surroundings {
  /** Live elements behind live neighbours, where many are gone, and behind the deleted ones; last those further away. */
  readonly behind: number[] = []
  /** Where in `behind` those end that are behind each deleted neighbour; it is left out where there are none. */
  readonly behindEachLost: number[] = []
  /** Number of those in `behind` that are behind live neighbours; they come first. */
  behindKept = 0
  /** Live neighbours. */
  readonly kept: number[] = []
  /** Number of neighbours that are gone. */
  lost = 0
  private frontier: number[] = []
  private readonly lists: LinkLists
  private readonly newIds: Uint32Array
  private next: number[] = []
  private readonly oldIds: Uint32Array
  /** By old id the last call of `look` that met it. */
  private readonly seen: Uint32Array
  private turn = 0

  constructor({newIds, old, oldIds}: RepairJob) {
    this.lists = new LinkLists(old)
    this.newIds = newIds
    this.oldIds = oldIds
    this.seen = new Uint32Array(old.header.curElementCount)
  }

  /** Looks at an element of the old graph; fills the fields, which the next call uses again. */
  look(level: number, id: number): void {
    this.behind.length = 0
    this.kept.length = 0
    this.behindEachLost.length = 0
    this.frontier.length = 0
    this.turn += 1
    this.seen[id] = this.turn
    this.follow(level, id, this.kept, this.frontier)
    this.lost = this.frontier.length
    if (this.lost >= BADLY_HIT) this.lookBehindKept(level)
    this.behindKept = this.behind.length
    for (let depth = 0; this.frontier.length > 0; depth++) {
      if (depth >= DEPTH && this.behind.length > 0) return
      this.next.length = 0
      for (const gone of this.frontier) {
        if (depth > 0 && this.behind.length >= mostBehind(this.lost)) return
        this.follow(level, gone, this.behind, this.next)
        if (depth === 0 && this.behind.length > (this.behindEachLost.at(-1) ?? this.behindKept))
          this.behindEachLost.push(this.behind.length)
      }

      const {frontier} = this
      this.frontier = this.next
      this.next = frontier
    }
  }

  private lookBehindKept(level: number): void {
    this.next.length = 0
    for (const neighbour of this.kept.slice(0, KEPT_LOOKED_BEHIND))
      this.follow(level, this.oldIds[neighbour] as number, this.behind, this.next)
  }

  private follow(level: number, id: number, live: number[], gone: number[]): void {
    const links = this.lists.links(level)
    const from = this.lists.start(level, id)
    const to = from + this.lists.count(level, id)
    for (let i = from; i < to; i++) {
      const target = links[i] as number
      if (this.seen[target] === this.turn) continue
      this.seen[target] = this.turn
      const newId = this.newIds[target] as number
      if (newId === NONE) gone.push(target)
      else live.push(newId)
    }
  }
}
