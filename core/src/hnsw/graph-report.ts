import {setImmediate} from 'node:timers/promises'
import type {ScanOptions} from './files.js'
import type {HnswGraph} from './graph.js'

/** Elements whose lists are followed between two turns of the event loop. */
const ELEMENTS_PER_TURN = 100_000

/** What the links of an index say about the searches it allows. */
export interface GraphReport {
  /** Out-degree on level 0 over all elements, deleted ones included; zeros for an empty index. */
  degree: {
    /** Number of elements with as many links as the index says, up to maxM0. */
    histogram: number[]
    max: number
    mean: number
    min: number
  }
  /** Number of elements whose highest level is the index. */
  levels: number[]
  live: number
  /** Live elements that no link of level 0 leads to. */
  liveWithoutInboundLink: number
  /** Live elements that some search could find, see `reachableElements`. */
  reachable: number
  /** Live elements that no search can find, whatever its vector and ef. */
  unreachable: number
}

/**
 * Marks the elements that a search could come to. A search enters at the entry point, follows links of the highest
 * level, goes down a level from wherever it stands, never up, and last follows links of level 0. So the elements of
 * a level are those that its links lead to from the elements of the level above, and the entry point to begin with.
 * Deleted elements are passed through, as hnswlib does. Which of these elements a search with a finite ef returns
 * depends on its vector; the rest it cannot return at all.
 */
async function reachableElements(graph: HnswGraph, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const {curElementCount, enterpoint, maxLevel, maxM, maxM0} = graph.header
  const reached = new Uint8Array(curElementCount)
  if (curElementCount === 0) return reached
  const queue = new Uint32Array(curElementCount)
  reached[enterpoint] = 1
  queue[0] = enterpoint
  let queued = 1
  const follow = (links: Uint32Array, from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      const target = links[i] as number
      if (reached[target] !== 0) continue
      reached[target] = 1
      queue[queued++] = target
    }
  }

  for (let level = maxLevel; level >= 0; level--) {
    for (let next = 0; next < queued; next++) {
      const id = queue[next] as number
      if (level === 0) follow(graph.level0Links, id * maxM0, graph.level0Counts[id] as number)
      else {
        const list = ((graph.upperStart[id] as number) + level - 1) * (maxM + 1)
        follow(graph.upperLists, list + 1, graph.upperLists[list] as number)
      }

      if (next % ELEMENTS_PER_TURN === ELEMENTS_PER_TURN - 1) {
        await setImmediate()
        signal?.throwIfAborted()
      }
    }
  }

  return reached
}

/** Measures a loaded graph. Memory: six bytes for each element. */
export async function measureGraph(
  graph: HnswGraph,
  {signal}: Pick<ScanOptions, 'signal'> = {},
): Promise<GraphReport> {
  const {curElementCount, maxLevel, maxM0} = graph.header
  const reached = await reachableElements(graph, signal)
  const linkedTo = new Uint8Array(curElementCount)
  const histogram = Array.from({length: maxM0 + 1}, () => 0)
  const levels = Array.from({length: maxLevel + 1}, () => 0)
  let links = 0
  for (let id = 0; id < curElementCount; id++) {
    const count = graph.level0Counts[id] as number
    histogram[count] = (histogram[count] as number) + 1
    links += count
    const level = graph.levels[id] as number
    levels[level] = (levels[level] as number) + 1
    for (let i = id * maxM0; i < id * maxM0 + count; i++) linkedTo[graph.level0Links[i] as number] = 1
  }

  let live = 0
  let reachable = 0
  let liveWithoutInboundLink = 0
  for (let id = 0; id < curElementCount; id++) {
    if (graph.deleted[id] !== 0) continue
    live += 1
    reachable += reached[id] as number
    if (linkedTo[id] === 0) liveWithoutInboundLink += 1
  }

  return {
    degree: {
      histogram,
      max: Math.max(
        0,
        histogram.findLastIndex((elements) => elements > 0),
      ),
      mean: curElementCount === 0 ? 0 : links / curElementCount,
      min: Math.max(
        0,
        histogram.findIndex((elements) => elements > 0),
      ),
    },
    levels,
    live,
    liveWithoutInboundLink,
    reachable,
    unreachable: live - reachable,
  }
}
