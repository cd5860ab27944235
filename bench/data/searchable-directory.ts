import {rename} from 'node:fs/promises'
import {join} from 'node:path'

import {buildIndex} from '../../core/src/hnsw/build/build-index.js'
import {writeIndexMetadata} from '../../core/src/hnsw/index-metadata-writer.js'
import {cached} from './cache.js'
import {clusteredVectors} from './clusters.js'
import {appendPendingLog, VECTOR_SEGMENT_ID, writeDatabase} from './database.js'
import type {Shape} from './index-files.js'
import {uuids} from './random.js'

/** Part of the folder's name: to be raised with every change of what is generated. */
const EDITION = 1

/** A persist directory of Chroma 1.5 whose one index can be searched, with `pending` more records in the log. */
export async function searchableDirectory(shape: Shape, pending: number): Promise<string> {
  const {dimension, records} = shape
  return cached(`searchable-${records}x${dimension}-log-${pending}-${EDITION}`, async (folder) => {
    await writeDatabase(folder, shape, uuids(0, records))
    await appendPendingLog(folder, shape, pending)
    const labels = Float64Array.from({length: records}, (_, i) => i + 1)
    const elements = {dimension, labels, vectors: clusteredVectors(records, dimension)}
    const built = join(folder, 'built')
    await buildIndex({M: 16, efConstruction: 100, elements, outDir: built, space: 'l2'})
    await writeIndexMetadata(
      join(built, 'index_metadata.pickle'),
      {
        dimensionality: null,
        idToLabel: new Map([...uuids(0, records)].map((id, i) => [id, i + 1])),
        idToSeqId: new Map(),
        maxSeqId: null,
        totalElementsAdded: records,
      },
      'dict',
    )
    await rename(built, join(folder, VECTOR_SEGMENT_ID))
  })
}
