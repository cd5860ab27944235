import type {HnswParameters} from '../catalog/hnsw-parameters.js'
import type {PersistDir} from '../persist-dir/persist-dir.js'
import type {IndexSource} from './source.js'

import {allEnded} from '../change/all-ended.js'
import {ChopsError} from '../errors.js'
import {syncIndex} from '../hnsw/build/index-files.js'
import {choosePrecision} from '../hnsw/build/precision.js'
import {LARGEST_SAMPLE, measureSample, type VerifiedIndex, verifyIndex} from '../hnsw/build/verify-index.js'
import {type HnswGraph, loadGraph} from '../hnsw/graph.js'
import {readHeader} from '../hnsw/header.js'
import type {RowPass} from '../hnsw/live-vectors.js'
import {NONE} from '../hnsw/repair/job.js'
import {repairIndex} from '../hnsw/repair/repair-index.js'
import {KernelMemoryError} from '../hnsw/kernel/memory.js'
import {RepairTeam} from '../hnsw/repair/team.js'
import {formatBytes} from '../output/format.js'
import {chooseMethod, type Method, type MethodOptions} from './method.js'
import {writeFullIndex} from './write-full-index.js'
import {
  emptyFolder,
  LOW_RECALL,
  type NewElements,
  readNewElements,
  relabel,
  stage,
  type StageOptions,
  writeMetadata,
  type WrittenSegment,
} from './write-segment.js'

export interface RebuiltSegment extends Omit<WrittenSegment, 'method'> {
  method: Method
  /** Why it was made this way; half a sentence. */
  reason: string
}

/** A sample of some hundred neighbours tells no smaller difference. */
const TOLERANCE = 0.01

/**
 * Makes a new index in an empty folder, by repair or in full, see `chooseMethod`. Where a repair turns out to be
 * impossible, because the old graph is damaged, or not good enough, the index is built in full.
 *
 * @throws ChopsError `damaged` when a source or the new index is not sound
 */
export async function writeRebuiltIndex(
  dir: PersistDir,
  source: IndexSource,
  parameters: HnswParameters,
  folder: string,
  options: MethodOptions & StageOptions = {},
): Promise<RebuiltSegment> {
  const {method, reason} = chooseMethod(source, parameters, options)
  const build = async (why: string): Promise<RebuiltSegment> => ({
    ...(await writeFullIndex(dir, source, parameters, folder, options)),
    method: 'full',
    reason: why,
  })
  if (method === 'repair') {
    const repaired = await tryRepair(dir, source, parameters, folder, options)
    if (typeof repaired !== 'string') return {...repaired, reason}
    await emptyFolder(folder)
    return build(repaired)
  }

  return build(reason)
}

/** The repaired index, or why there is none. */
async function tryRepair(
  dir: PersistDir,
  source: IndexSource,
  parameters: HnswParameters,
  folder: string,
  options: StageOptions,
): Promise<Omit<RebuiltSegment, 'reason'> | string> {
  // Threads start while the old index is read.
  const team = new RepairTeam(source.pending.ids.idToLabel.size, options)
  try {
    const read = await readWithGraph(source, parameters, options)
    if (typeof read === 'string') return read
    const {old} = read
    const {elements, ids} = relabel(read.elements, source.pending.ids)
    const {space} = parameters
    await repairIndex({
      ...stage('build', options),
      efConstruction: Math.max(parameters.constructionEf, parameters.m),
      elements,
      // Where bf16 tells neighbours apart, so do 16 bits of another kind.
      isRounded: (await choosePrecision(elements, space, options)) === 'bf16',
      old,
      oldIds: elements.oldIds,
      outDir: folder,
      space,
      team,
    })
    const verify = {...stage('verify', options), elements, folder, space}
    const worse = (than: VerifiedIndex) =>
      worseThanBefore(source.folder, old, elements, than, {...options, space})
    let [verified] = await allEnded([
      verifyIndex(verify),
      syncIndex(folder),
      writeMetadata(dir, source, ids, folder),
    ])
    let reason = await worse(verified)
    if (reason !== undefined && verified.sampleSize < Math.min(LARGEST_SAMPLE, elements.labels.length)) {
      verified = await verifyIndex({...verify, sample: LARGEST_SAMPLE})
      reason = await worse(verified)
    }

    if (reason !== undefined) return reason
    return {elements: elements.labels.length, engine: undefined, method: 'repair', verified}
  } catch (error) {
    if (error instanceof KernelMemoryError)
      return `WebAssembly gets no ${formatBytes(error.bytes)} of memory for a repair here, as where ulimit -v is set`
    throw error
  } finally {
    await team.stop()
  }
}

/** The elements and, out of the same pass, the old graph; or what is wrong with that. */
async function readWithGraph(
  source: IndexSource,
  parameters: HnswParameters,
  options: StageOptions,
): Promise<string | {elements: NewElements; old: HnswGraph}> {
  const {folder, header} = source
  if (!header) return 'there is no old graph to go on from'
  const cosine = source.parameters.space === 'cosine'
  const read: {damage?: unknown; graph?: HnswGraph} = {}
  const pass: RowPass = async (onRows, scan) => {
    try {
      await readHeader(folder, {cosine})
      read.graph = await loadGraph(folder, header, {...scan, onRows})
    } catch (error) {
      read.damage = error
      throw error
    }
  }

  try {
    const elements = await readNewElements(source, parameters, {...options, pass})
    if (!read.graph) throw new Error('nobody has read the old graph')
    return {elements, old: read.graph}
  } catch (error) {
    if (error !== read.damage || !(error instanceof ChopsError) || error.kind !== 'damaged') throw error
    return `the old graph is damaged: ${error.message.replace(/\.$/, '')}`
  }
}

/** Why a repaired graph is not good enough: it is held, on the same sample, against the old one without the elements that are gone. */
export async function worseThanBefore(
  folder: string,
  old: HnswGraph,
  elements: NewElements,
  {recall, sampleSize}: VerifiedIndex,
  options: Pick<StageOptions, 'signal'> & {space: HnswParameters['space']},
): Promise<string | undefined> {
  const found = `a repaired graph would find ${recall.toFixed(3)} of the nearest on a sample`
  if (recall < LOW_RECALL) return found
  if (recall + TOLERANCE >= 1) return undefined
  old.deleted.fill(1)
  for (const id of elements.oldIds) if (id !== NONE) old.deleted[id] = 0
  const before = await measureSample(folder, old, elements, {...options, sample: sampleSize})
  return recall + TOLERANCE < before.recall
    ? `${found}, and the old one ${before.recall.toFixed(3)}`
    : undefined
}
