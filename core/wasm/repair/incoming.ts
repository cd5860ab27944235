/** The links that the first step added, by the list they lead to: list i has `ids[starts[i]]` to `ids[starts[i + 1]]`, of u32. */
import {itemOf, setItem} from '../lists'
import {keptOf, next} from './job'

/**
 * Counts them: fills `starts`, zeros at first, with where each list is going to end, and behind the last with their number.
 * Returns how many lead to one list at most.
 */
export function countIncoming(starts: usize, lists: u32): u32 {
  for (let id: u32 = 0; id < next.elements; id++) {
    for (let level = next.level(id); level >= 0; level--) {
      const links = next.links(level, id)
      const count = next.count(level, id)
      for (let i = keptOf(next.number(level, id)); i < count; i++) {
        const list = next.number(level, itemOf(links, i))
        setItem(starts, list, itemOf(starts, list) + 1)
      }
    }
  }

  let most: u32 = 0
  let total: u32 = 0
  for (let list: u32 = 0; list < lists; list++) {
    const count = itemOf(starts, list)
    most = max(most, count)
    total += count
    setItem(starts, list, total)
  }

  setItem(starts, lists, total)
  return most
}

/** Fills `ids`, each list from its end, which `starts` has, so that it has the beginning afterwards. */
export function collectIncoming(starts: usize, ids: usize): void {
  for (let left = next.elements; left > 0; left--) {
    const id = left - 1
    for (let level = next.level(id); level >= 0; level--) {
      const links = next.links(level, id)
      const count = next.count(level, id)
      for (let i = keptOf(next.number(level, id)); i < count; i++) {
        const list = next.number(level, itemOf(links, i))
        const place = itemOf(starts, list) - 1
        setItem(starts, list, place)
        setItem(ids, place, id)
      }
    }
  }
}
