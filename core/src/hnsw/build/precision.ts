import type {Space} from '../../catalog/hnsw-parameters.js'
import {plainDistance} from '../distance/plain.js'
import type {ScanOptions} from '../files.js'
import type {IndexElements} from './elements.js'
import type {Precision} from './engine-protocol.js'
import {candidatesOf, type Nearest, nearestCandidates, spreadEvenly} from './exact-search.js'

/** Below this a build takes no time worth saving. */
const ELEMENTS_WORTH_IT = 1000

const QUERIES = 10
const K = 10

/** Near enough that rounding could put one among the ten nearest. */
const AROUND = 40

/**
 * Share of the ten nearest that must stay so. Data that cannot be told apart keeps half of them or fewer, and loses
 * recall; other data keeps all but a few.
 */
const ENOUGH = 0.9

/**
 * In what a library should compare these elements. bf16 takes about 0.6 of the time of f32, and has eight bits: enough,
 * unless neighbours differ by less, as near copies of a text do. So the nearest elements of a few are looked for, and
 * put in order once more by rounded vectors.
 */
export async function choosePrecision(
  elements: IndexElements,
  space: Space,
  {signal}: Pick<ScanOptions, 'signal'> = {},
): Promise<Precision> {
  const count = elements.labels.length
  if (count < ELEMENTS_WORTH_IT) return 'f32'
  const queries = spreadEvenly(count, QUERIES)
  const rows = queries.map((_, q) => q)
  const exact = await nearestCandidates(candidatesOf(elements, queries, space), rows, {k: AROUND, signal})
  const kept = exact.map((nearest, q) => keptNeighbours(elements, space, queries[q] as number, nearest))
  return kept.reduce((sum, share) => sum + share, 0) / QUERIES < ENOUGH ? 'f32' : 'bf16'
}

/** Share of the nearest candidates that are the nearest of rounded vectors as well; of equal distances any will do. */
function keptNeighbours(
  {dimension, vectors}: IndexElements,
  space: Space,
  query: number,
  {candidates, distances}: Nearest,
): number {
  const rounded = new Float32Array((candidates.length + 1) * dimension)
  for (const [i, element] of [query, ...candidates].entries())
    rounded.set(vectors.subarray(element * dimension, (element + 1) * dimension), i * dimension)
  roundToBf16(rounded)
  const distance = plainDistance(space, dimension)
  const nearest = [...distances]
    .map((exact, i) => ({exact, rounded: distance(rounded, 0, (i + 1) * dimension)}))
    // Of what rounding makes equal, the wrong one may be found.
    .sort((a, b) => a.rounded - b.rounded || b.exact - a.exact)
    .slice(0, K)
  return nearest.filter(({exact}) => exact <= (distances[K - 1] as number)).length / K
}

/** Rounds to the upper 16 bits of an f32, to the even one of two that are as near. */
function roundToBf16(floats: Float32Array): void {
  const words = new Uint32Array(floats.buffer)
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number
    words[i] = (word + 0x7f_ff + ((word >>> 16) & 1)) & 0xff_ff_00_00
  }
}
