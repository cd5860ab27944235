import {availableParallelism} from 'node:os'

import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {IndexSource} from './source.js'

import {usage} from '../errors.js'
import {fitsMemory} from '../hnsw/kernel/memory.js'
import {repairMemory} from '../hnsw/repair/repair-index.js'
import {formatBytes, formatCount, formatPercent} from '../output/format.js'

/** How a new index is made: out of the old graph, or from the vectors alone. */
export type Method = 'full' | 'repair'

export interface MethodChoice {
  method: Method
  /** Half a sentence. */
  reason: string
}

export interface MethodOptions {
  /** `auto`, which is the default, takes what is expected to be faster. */
  method?: 'auto' | Method | undefined
  threads?: number | undefined
}

/**
 * What a repair takes, as a share of a full build: something for every element, then by the share of elements that are
 * gone. Measured with 200,000 elements; with fewer, a repair is the faster one for longer.
 */
const REPAIR_OF_ALL = 0.03
const REPAIR_OF_GONE = 1.7

/** Inserting an element on one thread takes so many times what one of the full build's threads takes for it. */
const INSERTION = 2

/** A full build starts a library in a process of its own, which takes about as long as it then needs for so many elements. */
const START_OF_FULL = 1000

/**
 * Chooses how the index of a collection is made anew. A repair needs a graph of the same M and space, and is chosen where
 * it is expected to be faster; whether that graph is sound shows only when it is loaded.
 *
 * @param parameters of the new index
 * @throws ChopsError `usage` when a repair is asked for and M or the space change
 */
export function chooseMethod(
  source: IndexSource,
  parameters: HnswParameters,
  {method = 'auto', threads = availableParallelism()}: MethodOptions = {},
): MethodChoice {
  const full = (reason: string): MethodChoice => ({method: 'full', reason})
  if (method === 'full') return full('it was asked for')
  const changed = changedShape(source, parameters)
  if (changed !== undefined) {
    if (method === 'auto') return full(`${changed} changes`)
    throw usage(`A repair keeps the graph, and ${changed} changes it.`, {next: 'Leave out --method repair.'})
  }

  const {dimension, header, pending} = source
  const total = pending.ids.idToLabel.size
  const inserted = pending.operations.filter(({op}) => op !== 'delete').length
  const survivors = total - inserted
  if (!header || survivors <= 0) return full('there is no old graph to go on from')
  const needed = repairMemory(header, total, dimension, threads)
  if (!fitsMemory(needed)) return full('a repair needs SIMD, and at most 4 GiB for vectors and links')
  const memory = needed + 4 * total * dimension
  const free = process.availableMemory()
  if (memory > free)
    return full(`a repair needs ${formatBytes(memory)} of memory, and ${formatBytes(free)} is free`)
  const gone = (header.curElementCount - survivors) / header.curElementCount
  const damage = `${formatPercent(100 * gone)} of the elements are gone, ${formatCount(inserted)} are new`
  if (method === 'repair') return {method, reason: `it was asked for; ${damage}`}
  if (parameters.constructionEf !== source.parameters.constructionEf)
    return full('a changed construction ef shows only in a new graph')
  const cost = (REPAIR_OF_ALL + REPAIR_OF_GONE * gone) * total + INSERTION * threads * inserted
  if (cost > total + START_OF_FULL) return full(`${damage}: that is too much to be faster by a repair`)
  return {method: 'repair', reason: damage}
}

/** The parameter that a new graph is needed for. The header says with which M the graph was built. */
function changedShape(
  {header, parameters: today}: IndexSource,
  {m, space}: HnswParameters,
): string | undefined {
  if (space !== today.space) return 'the space'
  return header && header.M !== m ? 'M' : undefined
}
