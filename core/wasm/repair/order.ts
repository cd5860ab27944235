import {addressIn, itemOf, setItem} from '../lists'
import {addToOrder, newIdOf, NONE, old} from './job'

/** Room for `orderElements`, in bytes, zeros at first. */
export function bytesToOrder(): usize {
  return 5 * <usize>old.elements
}

/**
 * Puts the elements that go on in the order in which they are worked on: that in which a walk over level 0 of the old graph,
 * depth first, meets them, so that the vectors of neighbours are still in the cache.
 */
export function orderElements(room: usize): void {
  const stack = room
  const seen = addressIn(stack, old.elements)
  let ordered: u32 = 0
  for (let first: u32 = 0; first < old.elements; first++) {
    if (load<u8>(seen + first) !== 0) continue
    store<u8>(seen + first, 1)
    setItem(stack, 0, first)
    for (let height: u32 = 1; height > 0;) {
      height -= 1
      const oldId = itemOf(stack, height)
      const id = newIdOf(oldId)
      if (id !== NONE) addToOrder(ordered++, id)
      const links = old.links(0, oldId)
      for (let i = old.count(0, oldId); i > 0; i--) {
        const link = itemOf(links, i - 1)
        if (load<u8>(seen + link) !== 0) continue
        store<u8>(seen + link, 1)
        setItem(stack, height++, link)
      }
    }
  }
}
