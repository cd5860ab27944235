import {deepEqual, equal} from 'node:assert/strict'
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {
  INDEX_METADATA_FILE,
  type IndexMetadata,
  type IndexMetadataForm,
  indexMetadataProblems,
  readIndexMetadata,
} from '../../../core/src/hnsw/index-metadata.js'
import {writeIndexMetadata} from '../../../core/src/hnsw/index-metadata-writer.js'
import {segmentFolders} from '../../core/hnsw/segment-folders.js'
import {outcome, workFolder} from '../support.js'

const MAX_U32 = 0xff_ff_ff_ff
const folder = workFolder()
const file = join(folder, INDEX_METADATA_FILE)
const copy = join(folder, 'copy.pickle')

/** `index_metadata.pickle`: read with and without ids alike, and what is accepted can be written and read again. */
export async function fuzz(data: Buffer): Promise<void> {
  writeFileSync(file, data)
  const whole = await outcome(() => readIndexMetadata(file, {ids: true}))
  const summary = await outcome(() => readIndexMetadata(file, {ids: false}))
  equal(summary === undefined, whole === undefined, 'the ids decide whether the file is accepted')
  if (!whole || !summary) return
  equal(summary.labelCount, whole.idToLabel.size + whole.repeatedIds)
  equal([...whole.idToLabel.values()].filter((label) => !summary.labels.has(label)).length, 0)
  indexMetadataProblems(whole)
  for (const form of ['dict', 'PersistentData'] as const) {
    if (isWritable(whole, form)) await expectRoundTrip(whole, form)
  }
}

export function* seeds(): Generator<[string, Buffer]> {
  for (const fixture of [
    'chroma-0.4.24',
    'chroma-0.6.3',
    'chroma-1.5.9',
    'chroma-0.5.5-then-1.0.16',
  ] as const) {
    const files = segmentFolders(fixture).map((segment) => join(segment, INDEX_METADATA_FILE))
    const pickles = files.filter((path) => existsSync(path)).map((path) => readFileSync(path))
    const [smallest] = pickles.sort((a, b) => a.length - b.length)
    if (smallest) yield [fixture, smallest]
  }
}

function isWritable(
  {dimensionality, idToLabel, totalElementsAdded}: IndexMetadata,
  form: IndexMetadataForm,
): boolean {
  const labelsFit = [...idToLabel.values()].every((label) => label <= totalElementsAdded)
  return labelsFit && (form === 'dict' ? totalElementsAdded <= MAX_U32 : dimensionality !== null)
}

async function expectRoundTrip(whole: IndexMetadata, form: IndexMetadataForm): Promise<void> {
  rmSync(copy, {force: true})
  await writeIndexMetadata(copy, whole, form)
  const again = await readIndexMetadata(copy, {ids: true})
  const {dimensionality, idToLabel, idToSeqId, totalElementsAdded} = again
  deepEqual(
    {dimensionality, idToLabel, totalElementsAdded},
    {
      dimensionality: whole.dimensionality,
      idToLabel: whole.idToLabel,
      totalElementsAdded: whole.totalElementsAdded,
    },
  )
  for (const [id, seqId] of idToSeqId) equal(seqId, whole.idToSeqId.get(id) ?? 0)
  equal(again.form, form)
  const [problem] = indexMetadataProblems(again)
  equal(problem, problem?.id === 'H14' && labelsRepeat(idToLabel) ? problem : undefined)
}

/** Two ids with one label have no inverse, whoever writes them. */
function labelsRepeat(idToLabel: Map<string, number>): boolean {
  return new Set(idToLabel.values()).size < idToLabel.size
}
