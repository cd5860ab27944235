import type {IncomingLinks} from './job.js'
import {LinkLists} from '../graph-lists.js'
import type {PreparedRepair} from './prepare.js'

/**
 * Collects the links that the first step added, by the list they lead to. Memory: four bytes for each list and link.
 *
 * @throws KernelMemoryError when there is no memory for them
 */
export function collectIncoming({arena, kept, next}: PreparedRepair): IncomingLinks {
  const lists = new LinkLists(next)
  const eachNewLink = (visit: (target: number, id: number) => void) => {
    const elements = next.header.curElementCount
    for (let id = 0; id < elements; id++) {
      for (let level = next.levels[id] as number; level >= 0; level--) {
        const links = lists.links(level)
        const start = lists.start(level, id)
        const count = lists.count(level, id)
        for (let i = kept[lists.number(level, id)] as number; i < count; i++)
          visit(lists.number(level, links[start + i] as number), id)
      }
    }
  }

  const starts = arena.allocate(Uint32Array, lists.size + 1)
  eachNewLink((target) => {
    starts[target + 1] = (starts[target + 1] as number) + 1
  })
  let most = 0
  for (let i = 1; i <= lists.size; i++) {
    most = Math.max(most, starts[i] as number)
    starts[i] = (starts[i] as number) + (starts[i - 1] as number)
  }

  const ids = arena.allocate(Uint32Array, starts[lists.size] as number)
  const ends = Uint32Array.from(starts)
  eachNewLink((target, id) => {
    ids[ends[target] as number] = id
    ends[target] = (ends[target] as number) + 1
  })
  return {ids: ids.byteOffset, most, starts: starts.byteOffset}
}
