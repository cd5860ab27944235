import type {Kernel} from '../kernel/kernel.js'
import type {IncomingLinks} from './job.js'
import type {PreparedRepair} from './prepare.js'

/**
 * Collects the links that the first step added, by the list they lead to. Memory: four bytes for each list and link.
 *
 * @throws KernelMemoryError when there is no memory for them
 */
export function collectIncoming(
  kernel: Kernel,
  {arena, lists}: Pick<PreparedRepair, 'arena' | 'lists'>,
): IncomingLinks {
  const starts = arena.allocate(Uint32Array, lists + 1)
  const most = kernel.countIncoming(starts.byteOffset, lists)
  const ids = arena.allocate(Uint32Array, starts[lists] as number)
  kernel.collectIncoming(starts.byteOffset, ids.byteOffset)
  return {ids: ids.byteOffset, most, starts: starts.byteOffset}
}
