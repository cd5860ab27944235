import type {ScanOptions} from './files.js'
import {inspectHeader} from './header.js'
import {level0Problems, type OnElement} from './level0-problems.js'
import {normProblems, readNorms} from './length.js'
import {linkListProblems} from './link-lists.js'
import type {HnswFile, HnswProblem} from './problems.js'

/**
 * Everything that is wrong with the four files of a segment folder; none means that hnswlib can load them.
 * A file whose absence, size or header forbids to read it is reported for that alone.
 * `cosine` says that the index normalises its vectors, which the files do not tell. `onProgress` counts bytes
 * of `data_level0.bin`, which are nearly all there are; `onElement` gets each element on the way.
 * Memory: 16 bytes for each element in a cosine index, 12 in others.
 *
 * @throws ChopsError `damaged` when a file changes while it is read or the memory does not suffice
 */
export async function checkIndexFiles(
  folder: string,
  {cosine, onElement, onProgress, signal}: ScanOptions & {cosine: boolean; onElement?: OnElement | undefined},
): Promise<HnswProblem[]> {
  const {header, problems} = await inspectHeader(folder, {cosine})
  if (!header) return problems
  const readable = (file: HnswFile) => problems.every((problem) => problem.file !== file)
  const found = [...problems]
  let norms: Float32Array | undefined
  if (cosine && readable('length.bin')) {
    norms = await readNorms(folder, header, {signal})
    found.push(...normProblems(norms))
  }

  if (readable('data_level0.bin'))
    found.push(...(await level0Problems(folder, header, {norms, onElement, onProgress, signal})))
  if (readable('link_lists.bin')) found.push(...(await linkListProblems(folder, header, {signal})))
  return found
}
