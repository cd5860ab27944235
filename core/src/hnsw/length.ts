import {counted} from '../output/format.js'
import {allocate, openIndexFile, type ScanOptions} from './files.js'
import type {HnswHeader} from './header-layout.js'
import {type HnswProblem, Tally} from './problems.js'

const FILE = 'length.bin'

const CHUNK_BYTES = 2 * 1024 * 1024

/**
 * The norm of the original vector of each element, by internal id: f32 each, in a cosine index only.
 * In an l2 or ip index hnswlib never sets these bytes, so they mean nothing.
 * Source: chroma-core/hnswlib hnswlib/hnswalg.h (`normalize_vector`, `getDataByLabel`).
 *
 * @throws ChopsError `damaged` when the file is missing, unreadable or too short
 */
export async function readNorms(
  folder: string,
  header: HnswHeader,
  {onProgress, signal}: ScanOptions = {},
): Promise<Float32Array> {
  const total = header.curElementCount * 4
  const file = openIndexFile(folder, FILE, total)
  try {
    const norms = allocate(folder, () => new Float32Array(header.curElementCount))
    const bytes = new Uint8Array(norms.buffer)
    for (let at = 0; at < total; at += CHUNK_BYTES) {
      signal?.throwIfAborted()
      const end = Math.min(total, at + CHUNK_BYTES)
      await file.read(bytes.subarray(at, end), at)
      onProgress?.(end, total)
    }

    return norms
  } finally {
    file.close()
  }
}

/** Norms of a cosine index that no vector can have (H16). */
export function normProblems(norms: Float32Array): HnswProblem[] {
  const impossible = new Tally()
  const elements = norms.length
  for (let id = 0; id < elements; id++) {
    const norm = norms[id] as number
    if (!(norm >= 0 && norm < Infinity)) impossible.hit(id, norm)
  }

  return impossible.problems(
    'H16',
    FILE,
    (count, id, norm) =>
      `has ${counted(count, 'norm')} that no vector can have: first ${norm} for element ${id}`,
  )
}
