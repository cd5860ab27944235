import {counted} from '../output/format.js'
import {allocate, openIndexFile, type ScanOptions} from './files.js'
import type {HnswHeader} from './header-layout.js'
import {level0Chunks} from './level0.js'
import {LinkRules} from './link-rules.js'
import {type HnswProblem, Tally} from './problems.js'

const FILE = 'data_level0.bin'
const NORMS_FILE = 'length.bin'

/** hnswlib sums the squares of a vector in f32 one after the other, which costs digits in high dimensions. */
const NORM_TOLERANCE = 0.01

/** Below this the square of a norm leaves the normal range of f32, and hnswlib's division no longer gives length 1. */
const SMALLEST_NORM = 1e-15

/**
 * Whether the norm of a vector in a cosine index was overwritten with 0, by the sum of the squares of what is stored:
 * hnswlib gives length 1 to vectors whose norm it keeps. It keeps 0 for a vector of zeros and for one so short (2.6e-23)
 * that its squares are 0 in f32, and stores these divided by 1e-30. Such a vector has length 1 only if its norm was 1e-30,
 * which cannot be told from damage; what an engine gives back of either is zeros.
 */
export function hasLostNorm(norm: number, squares: number): boolean {
  return norm === 0 && isLengthOne(Math.sqrt(squares))
}

function isLengthOne(length: number): boolean {
  return Math.abs(length - 1) <= NORM_TOLERANCE
}

/** Gets the label of each element and whether it is marked as deleted. */
export type OnElement = (label: number, isDeleted: boolean) => void

/** Of one vector, in f64. */
export function sumOfSquares(floats: Float32Array, at: number, dimension: number): number {
  // Several sums, because one alone waits for each addition to finish before the next.
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  const end = at + dimension
  let i = at
  for (; i + 3 < end; i += 4) {
    a += (floats[i] as number) ** 2
    b += (floats[i + 1] as number) ** 2
    c += (floats[i + 2] as number) ** 2
    d += (floats[i + 3] as number) ** 2
  }

  for (; i < end; i++) a += (floats[i] as number) ** 2
  return a + b + c + d
}

/** Elements that repeat the label of another (sorts `labels`). */
function duplicateLabels(labels: Float64Array): HnswProblem[] {
  labels.sort()
  const duplicates = new Tally()
  for (let i = 1; i < labels.length; i++) {
    if (labels[i] === labels[i - 1]) duplicates.hit(i, labels[i] as number)
  }

  return duplicates.problems(
    'H12',
    FILE,
    (count, _, label) => `has ${counted(count, 'element')} with the label of another: first label ${label}`,
  )
}

/**
 * What is wrong with the rows: links that hnswlib would follow out of the graph (H10), labels that stand twice (H12),
 * vectors that are not numbers or, where `norms` says that the index is a cosine one, not of length 1, and norms of 0 of
 * vectors that are (H16).
 * Memory: 12 bytes for each element.
 *
 * @throws ChopsError `damaged` when the file is missing, unreadable or too short
 */
export async function level0Problems(
  folder: string,
  header: HnswHeader,
  options: ScanOptions & {norms?: Float32Array | undefined; onElement?: OnElement | undefined} = {},
): Promise<HnswProblem[]> {
  const {curElementCount, dimension, sizeDataPerElement} = header
  const {norms, onElement} = options
  const file = openIndexFile(folder, FILE, curElementCount * sizeDataPerElement)
  file.close()

  const links = new LinkRules(folder, header)
  const labels = allocate(folder, () => new Float64Array(curElementCount))
  const notFinite = new Tally()
  const notNormalised = new Tally()
  const lostNorms = new Tally()
  for await (const chunk of level0Chunks(folder, header, options)) {
    for (let row = 0; row < chunk.count; row++) {
      const id = chunk.firstId + row
      links.check(id, 0, chunk.words, chunk.linksAt(row))
      labels[id] = chunk.label(row)
      onElement?.(labels[id], chunk.isDeleted(row))
      // The squares of finite f32 cannot overflow an f64, so their sum is finite exactly when all of them are.
      const squares = sumOfSquares(chunk.floats, chunk.vectorAt(row), dimension)
      if (!Number.isFinite(squares)) notFinite.hit(id, chunk.label(row))
      else if (norms) {
        const norm = norms[id] as number
        const length = Math.sqrt(squares)
        if (norm > SMALLEST_NORM && !isLengthOne(length)) notNormalised.hit(id, length)
        if (hasLostNorm(norm, squares)) lostNorms.hit(id, chunk.label(row))
      }
    }
  }

  return [
    ...lostNorms.problems(
      'H16',
      NORMS_FILE,
      (count, id, label) =>
        `has ${counted(count, 'norm')} of 0 for vectors that are not zero: first element ${id} (label ${label})`,
    ),
    ...links.problems(FILE),
    ...duplicateLabels(labels),
    ...notFinite.problems(
      'H16',
      FILE,
      (count, id, label) =>
        `has ${counted(count, 'vector')} with NaN or infinity: first element ${id} (label ${label})`,
    ),
    ...notNormalised.problems(
      'H16',
      FILE,
      (count, id, length) =>
        `has ${counted(count, 'vector')} of another length than 1 in a cosine index: first element ${id} with ${length}`,
    ),
  ]
}
