import {allocate, openIndexFile} from './files.js'
import type {HnswHeader} from './header-layout.js'
import {type Level0Chunk, level0Chunks, type Level0Options} from './level0.js'
import {entryPointProblems, readLevels, walkLinkLists} from './link-lists.js'
import {LinkRules, listCount} from './link-rules.js'
import {assertNoProblem, problemError} from './problems.js'

/** The links of an index without its vectors, by internal id. */
export interface HnswGraph {
  deleted: Uint8Array
  header: HnswHeader
  level0Counts: Uint16Array
  /** The links of element i begin at `i * maxM0`. */
  level0Links: Uint32Array
  /** Highest level of each element. */
  levels: Uint8Array
  /** Lists above level 0, each a count and maxM links: level l of element i is number `upperStart[i] + l - 1`. */
  upperLists: Uint32Array
  upperStart: Uint32Array
}

export interface LoadOptions extends Level0Options {
  /** Sees the rows on the way, so that nobody has to read them once more; their links are not checked yet. */
  onRows?: ((chunk: Level0Chunk) => Promise<void> | void) | undefined
}

/**
 * Loads the links of all levels, checked so that following them is safe.
 * Memory: 4 x maxM0 + 16 bytes for each element, and link_lists.bin as it is.
 *
 * @throws ChopsError `damaged` when a file cannot be read or its lists break a rule (H5, H9, H10, H11)
 */
export async function loadGraph(
  folder: string,
  header: HnswHeader,
  {onRows, ...options}: LoadOptions = {},
): Promise<HnswGraph> {
  const {curElementCount, maxM, maxM0, sizeDataPerElement} = header
  const file = openIndexFile(folder, 'data_level0.bin', curElementCount * sizeDataPerElement)
  file.close()

  const read = await readLevels(folder, header, {signal: options.signal})
  if ('broken' in read) throw problemError(folder, read.broken)
  // A file that only goes on after its last record (H9) still has every list, so that is left to the check.
  const {levels} = read
  assertNoProblem(folder, entryPointProblems(header, levels))

  const memory = (bytes: number) => allocate(folder, () => new ArrayBuffer(bytes))
  const upperStart = new Uint32Array(memory(4 * curElementCount))
  let lists = 0
  for (let id = 0; id < curElementCount; id++) {
    upperStart[id] = lists
    lists += levels[id] as number
  }

  const graph: HnswGraph = {
    deleted: new Uint8Array(memory(curElementCount)),
    header,
    level0Counts: new Uint16Array(memory(2 * curElementCount)),
    level0Links: new Uint32Array(memory(4 * curElementCount * maxM0)),
    levels,
    upperLists: new Uint32Array(memory(4 * lists * (maxM + 1))),
    upperStart,
  }
  const upperRules = new LinkRules(folder, header, levels)
  await walkLinkLists(folder, header, (id, highest, words, at) => {
    for (let level = 1, list = at; level <= highest; level++, list += maxM + 1) {
      const to = ((upperStart[id] as number) + level - 1) * (maxM + 1)
      graph.upperLists[to] = listCount(words, list)
      upperRules.check(id, level, words, list + 1)
      for (let i = 1; i <= maxM; i++) graph.upperLists[to + i] = words[list + i] as number
    }
  })
  assertNoProblem(folder, upperRules.problems('link_lists.bin'))

  const level0Rules = new LinkRules(folder, header)
  for await (const chunk of level0Chunks(folder, header, options)) {
    for (let row = 0; row < chunk.count; row++) {
      const id = chunk.firstId + row
      const from = chunk.linksAt(row)
      const count = chunk.linkCount(row)
      level0Rules.check(id, 0, chunk.words, from)
      graph.deleted[id] = chunk.isDeleted(row) ? 1 : 0
      graph.level0Counts[id] = count
      for (let i = 0; i < Math.min(count, maxM0); i++)
        graph.level0Links[id * maxM0 + i] = chunk.words[from + i] as number
    }

    await onRows?.(chunk)
  }

  assertNoProblem(folder, level0Rules.problems('data_level0.bin'))
  return graph
}
