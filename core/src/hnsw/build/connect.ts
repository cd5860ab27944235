import {open} from 'node:fs/promises'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import {writeAt} from '../../change/file-writes.js'
import type {ScanOptions} from '../files.js'
import type {HnswGraph} from '../graph.js'

/** Elements whose links are followed between two turns of the event loop. */
const ELEMENTS_PER_TURN = 100_000

/** The links of level 0, followed from the entry point on; knows which elements are reached. */
class Reached {
  private readonly marks: Uint8Array
  private next = 0
  private readonly queue: Uint32Array
  private queued = 0

  constructor(private readonly graph: HnswGraph) {
    const {curElementCount} = graph.header
    this.marks = new Uint8Array(curElementCount)
    this.queue = new Uint32Array(curElementCount)
  }

  add(id: number): void {
    if (this.marks[id] !== 0) return
    this.marks[id] = 1
    this.queue[this.queued++] = id
  }

  async follow(signal: AbortSignal | undefined): Promise<void> {
    const {level0Counts, level0Links} = this.graph
    const {maxM0} = this.graph.header
    while (this.next < this.queued) {
      const id = this.queue[this.next++] as number
      const from = id * maxM0
      const end = from + (level0Counts[id] as number)
      for (let i = from; i < end; i++) this.add(level0Links[i] as number)
      if (this.next % ELEMENTS_PER_TURN === 0) {
        await setImmediate()
        signal?.throwIfAborted()
      }
    }
  }

  has(id: number): boolean {
    return this.marks[id] !== 0
  }
}

/** A reached element with room for a link: the nearest by steps from `id`, else any; undefined when all are full. */
function findHost(graph: HnswGraph, reached: Reached, id: number): number | undefined {
  const {level0Counts, level0Links} = graph
  const {curElementCount, maxM0} = graph.header
  const queue = [id]
  const seen = new Set(queue)
  for (const current of queue) {
    const count = level0Counts[current] as number
    if (reached.has(current) && count < maxM0) return current
    for (let i = current * maxM0; i < current * maxM0 + count; i++) {
      const target = level0Links[i] as number
      if (seen.has(target)) continue
      seen.add(target)
      queue.push(target)
    }
  }

  for (let other = 0; other < curElementCount; other++) {
    if (reached.has(other) && (level0Counts[other] as number) < maxM0) return other
  }

  return undefined
}

/** Puts changed link lists into their rows: the count, which shares its word with the deleted mark, and one link. */
async function writeLinks(folder: string, graph: HnswGraph, hosts: readonly number[]): Promise<void> {
  const {maxM0, sizeDataPerElement} = graph.header
  const path = join(folder, 'data_level0.bin')
  const handle = await open(path, 'r+')
  try {
    for (const host of hosts) {
      const count = graph.level0Counts[host] as number
      const list = Buffer.alloc(4 * count)
      for (let i = 0; i < count; i++) list.writeUInt32LE(graph.level0Links[host * maxM0 + i] as number, 4 * i)
      const head = Buffer.alloc(2)
      head.writeUInt16LE(count)
      await writeAt(handle, path, head, host * sizeDataPerElement)
      await writeAt(handle, path, list, host * sizeDataPerElement + 4)
    }
  } finally {
    await handle.close()
  }
}

/**
 * Gives each live element that no path of level 0 leads to a link from an element near it, in the graph and in
 * `data_level0.bin`. Returns the number of links added.
 */
export async function connectUnreachable(
  folder: string,
  graph: HnswGraph,
  options: Pick<ScanOptions, 'signal'> = {},
): Promise<number> {
  const hosts = await linkUnreachable(graph, options)
  if (hosts.length > 0) await writeLinks(folder, graph, [...new Set(hosts)])
  return hosts.length
}

/**
 * Gives each live element that no path of level 0 leads to a link from an element near it. Without it a search could
 * never find such an element; the threads of usearch leave a few when they add neighbours at the same time, hnswlib now
 * and then as well. Elements with a full list stay as they are, so that nothing else gets lost. Returns the elements
 * that have a new link, once for each.
 */
export async function linkUnreachable(
  graph: HnswGraph,
  {signal}: Pick<ScanOptions, 'signal'> = {},
): Promise<number[]> {
  const {curElementCount, enterpoint, maxM0} = graph.header
  if (curElementCount === 0) return []
  const reached = new Reached(graph)
  reached.add(enterpoint)
  await reached.follow(signal)

  const hosts: number[] = []
  for (let id = 0; id < curElementCount; id++) {
    if (reached.has(id) || graph.deleted[id] !== 0) continue
    const host = findHost(graph, reached, id)
    if (host === undefined) continue
    const count = graph.level0Counts[host] as number
    graph.level0Links[host * maxM0 + count] = id
    graph.level0Counts[host] = count + 1
    hosts.push(host)
    reached.add(id)
    await reached.follow(signal)
  }

  return hosts
}
