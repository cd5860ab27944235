import type {Space} from '../../core/src/catalog/hnsw-parameters.js'
import type {ScanOptions} from '../../core/src/hnsw/files.js'
import type {HnswHeader} from '../../core/src/hnsw/header.js'

import {readLabelled, type StoredElements} from '../../core/src/hnsw/build/elements.js'
import {level0Chunks} from '../../core/src/hnsw/level0.js'

/** All live elements of an index, in order of their internal ids; of a label that stands twice the first one. */
export async function readElements(
  folder: string,
  header: HnswHeader,
  space: Space,
): Promise<StoredElements> {
  const {missing, ...elements} = await readLabelled(folder, header, {
    labels: await readLiveLabels(folder, header),
    room: 0,
    space,
  })
  if (missing.size > 0) throw new Error(`${folder} lost elements while it was read`)
  return elements
}

/** How many elements of an index are alive and how many are only marked as deleted. */
export async function countElements(
  folder: string,
  header: HnswHeader,
  options: ScanOptions = {},
): Promise<{deleted: number; live: number}> {
  const {length: live} = await readLiveLabels(folder, header, options)
  return {deleted: header.curElementCount - live, live}
}

export async function readLiveLabels(
  folder: string,
  header: HnswHeader,
  options: ScanOptions = {},
): Promise<number[]> {
  const labels: number[] = []
  for await (const chunk of level0Chunks(folder, header, options)) {
    for (let row = 0; row < chunk.count; row++) if (!chunk.isDeleted(row)) labels.push(chunk.label(row))
  }

  return labels
}
