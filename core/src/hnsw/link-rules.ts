import {counted} from '../output/format.js'
import {allocate} from './files.js'
import type {HnswHeader} from './header-layout.js'
import {type HnswFile, type HnswProblem, Tally} from './problems.js'

/** Number of links in the list that begins at `words[at]`; unchecked, it may exceed its room in a damaged file. */
export function listCount(words: Uint32Array, at: number): number {
  return (words[at] as number) & 0xff_ff
}

/**
 * The rules every list of links has to keep (H10): no more links than the list has room for, each to another
 * element of the index, none twice, and above level 0 only to elements that have that level too.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`checkIntegrity`, `mutuallyConnectNewElement`).
 * Memory: four bytes for each element.
 */
export class LinkRules {
  private readonly duplicate = new Tally()
  /** Per element the number of the list that last linked to it: what tells a duplicate without a set per list. */
  private readonly lastList: Uint32Array
  private list = 0
  private readonly outOfRange = new Tally()
  private readonly overfull = new Tally()
  private readonly tooHigh = new Tally()
  private readonly toSelf = new Tally()

  constructor(
    folder: string,
    private readonly header: HnswHeader,
    private readonly levels?: Uint8Array,
  ) {
    this.lastList = allocate(folder, () => new Uint32Array(header.curElementCount))
  }

  /** Checks the list of one element on one level: its links begin at `words[at]`, behind the word with their number. */
  check(id: number, level: number, words: Uint32Array, at: number): void {
    const {curElementCount, maxM, maxM0} = this.header
    const count = listCount(words, at - 1)
    if (count > (level === 0 ? maxM0 : maxM)) {
      this.overfull.hit(id, count)
      return
    }

    this.list += 1
    for (let i = at; i < at + count; i++) {
      const target = words[i] as number
      if (target >= curElementCount) {
        this.outOfRange.hit(id, target)
        continue
      }

      if (target === id) this.toSelf.hit(id, target)
      if (this.lastList[target] === this.list) this.duplicate.hit(id, target)
      if (this.levels && (this.levels[target] as number) < level) this.tooHigh.hit(id, target)
      this.lastList[target] = this.list
    }
  }

  /** What the lists of a file broke; at most one problem for each rule. */
  problems(file: HnswFile): HnswProblem[] {
    const {curElementCount} = this.header
    return [
      ...this.overfull.problems(
        'H10',
        file,
        (count, id, links) =>
          `has ${counted(count, 'list')} with more links than fit: first element ${id} with ${links}`,
      ),
      ...this.outOfRange.problems(
        'H10',
        file,
        (count, id, target) =>
          `has ${counted(count, 'link')} out of the index of ${curElementCount} elements: first from element ${id} to ${target}`,
      ),
      ...this.toSelf.problems(
        'H10',
        file,
        (count, id) => `has ${counted(count, 'link')} from an element to itself: first element ${id}`,
      ),
      ...this.duplicate.problems(
        'H10',
        file,
        (count, id, target) =>
          `has ${counted(count, 'link')} twice in one list: first from element ${id} to ${target}`,
      ),
      ...this.tooHigh.problems(
        'H10',
        file,
        (count, id, target) =>
          `has ${counted(count, 'link')} above the level of the target: first from element ${id} to ${target}`,
      ),
    ]
  }
}
