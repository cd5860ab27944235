import {counted} from '@chops/core/output'
import {type HnswParameters, SEGMENT_TYPES} from '@chops/core/catalog'

import {
  INDEX_METADATA_FILE,
  type IndexMetadataDigest,
  indexMetadataProblems,
  inspectHeader,
  LabelSet,
  readIndexMetadata,
} from '@chops/core/hnsw'
import {checkIndexFiles, IdTable, loadGraph, measureGraph} from '@chops/core/index-files'
import {exists, segmentFolder} from '@chops/core/persist-dir'
import {readdir, stat} from 'node:fs/promises'
import {basename, join} from 'node:path'

import {misses} from './applied.js'
import {type CheckContext, damageText, deniedText} from './context.js'
import type {CollectionFacts} from './facts.js'
import {byFix, collectionFlags, commandLine} from './finding.js'
import {LARGE_LEFTOVER} from './leftovers.js'
import {parametersOf} from './parameters.js'

/** What the vectors of a collection are known by; without ids nothing is known of them. */
export interface IndexIds {
  /** Elements that are marked as deleted. */
  deleted: number
  /** All elements. */
  elements: number
  /** Elements that are not marked as deleted. */
  ids: IdTable
  /** The file with the ids; absent when the index was never written. */
  file: string | undefined
  /** Labels of elements that are not marked as deleted. */
  live: LabelSet
}

function nothing(): IndexIds {
  return {deleted: 0, elements: 0, file: undefined, ids: new IdTable(), live: new LabelSet()}
}

/** Of the share of an index that is deleted, in percent. */
const WORTH_REBUILDING = 20
const MOSTLY_DELETED = 50

/** Of the live elements, in percent: a graph may leave a few out. */
const UNREACHABLE = 5

/**
 * H1 and H3 to H17 of one collection. Reads every index file once, whatever is wrong with it.
 *
 * @returns undefined when the ids or their vectors cannot be read
 */
export async function checkIndex(
  context: CheckContext,
  collection: CollectionFacts,
  onShare: (share: number) => void,
): Promise<IndexIds | undefined> {
  const {findings, path} = context
  const segment = collection.vectorSegment
  if (!segment || segment.type !== SEGMENT_TYPES.VECTOR) return nothing()
  let folder: string
  try {
    folder = segmentFolder(path, segment.id)
  } catch (error) {
    const message = damageText(error)
    if (message === undefined) throw error
    findings.add('Y2', `${message} Restore chroma.sqlite3 from a backup.`, {collection})
    return undefined
  }

  const metadataFile = join(folder, INDEX_METADATA_FILE)
  if (!(await exists(metadataFile))) {
    return (await checkUnwritten(context, collection, folder)) ? nothing() : undefined
  }

  const parameters = parametersOf(context, collection)
  const live = new LabelSet()
  const metadata = await readMetadataFile(context, collection, metadataFile)
  const counts = {deleted: 0, elements: 0, withoutId: 0}
  const problems = await checkIndexFiles(folder, {
    cosine: parameters?.space === 'cosine',
    onElement(label, isDeleted) {
      counts.elements += 1
      if (isDeleted) counts.deleted += 1
      else {
        live.add(label)
        if (!metadata?.labels.has(label)) counts.withoutId += 1
      }
    },
    onProgress: (done, total) => onShare(done / Math.max(total, 1)),
    signal: context.signal,
  })
  const {header} = await inspectHeader(folder)
  const isRead = header !== undefined && counts.elements === header.curElementCount
  const rebuild = commandLine('hnsw', 'rebuild', path, ...collectionFlags(collection))
  for (const {file, id, what} of problems) {
    const canRebuild =
      isRead && metadata !== undefined && (file === 'link_lists.bin' || CURED_BY_REBUILD.has(id))
    findings.add(id, `${join(basename(folder), file)} ${what}.`, {
      collection,
      ...(canRebuild && {command: rebuild}),
    })
  }

  if (!header || !isRead || !metadata) return undefined
  checkAgainstCatalog(context, collection, header, parameters)
  const lacking = lackingVectors(metadata.idToLabel, live)
  if (counts.withoutId + lacking > 0) {
    const message = `${counted(counts.withoutId, 'live vector')} without an id, and ${counted(lacking, 'id')} without a live vector: searches fail with "Error finding id".`
    findings.add('H13', message, {
      collection,
      ...(lacking === 0 && isCertain(metadata) ? {command: rebuild} : {repairable: 'partly' as const}),
    })
  }

  const share = counts.elements === 0 ? 0 : (100 * counts.deleted) / counts.elements
  if (share > WORTH_REBUILDING) {
    const isLarge = share > MOSTLY_DELETED && counts.deleted * header.sizeDataPerElement >= LARGE_LEFTOVER
    const message = `${counts.deleted} of ${counted(counts.elements, 'vector')} are deleted and still take space and time (${share.toFixed(1)} %).`
    findings.add('H17', message, {collection, command: rebuild, severity: isLarge ? 'W' : 'I'})
  }

  if (context.measureReach && problems.length === 0) await checkReach(context, collection, folder, rebuild)
  const {deleted, elements} = counts
  return {deleted, elements, file: metadataFile, ids: metadata.idToLabel, live}
}

/** Bytes of the vectors of a collection on the disk; 0 for what cannot be looked at. */
export async function sizeOfIndex({path}: CheckContext, {vectorSegment}: CollectionFacts): Promise<number> {
  try {
    return vectorSegment
      ? (await stat(join(segmentFolder(path, vectorSegment.id), 'data_level0.bin'))).size
      : 0
  } catch {
    return 0
  }
}

/** Rules of links and of the entry point: a new graph is made from the vectors. */
const CURED_BY_REBUILD: ReadonlySet<string> = new Set(['H10', 'H11'])

/** Whether there is nothing to be read: the index was never written, as is normal for small collections. */
async function checkUnwritten(
  {findings, path}: CheckContext,
  collection: CollectionFacts,
  folder: string,
): Promise<boolean> {
  const position = collection.vectorSegment?.maxSeqId
  if (position !== undefined && position > 0) {
    const nearby = await quarantinesOf(path, basename(folder))
    const hint =
      nearby.length > 0 ? ` Move ${nearby.join(' or ')} back, if it is whole.` : ' Put it back from a backup.'
    const message = `${join(basename(folder), INDEX_METADATA_FILE)} is missing, although the index has applied the log up to row ${position}: vectors that left the log exist nowhere else.${hint}`
    findings.add('H1', message, {collection})
    return true
  }

  if (!(await exists(join(folder, 'header.bin')))) return true
  const {header, problems} = await inspectHeader(folder)
  if (header && header.curElementCount > 0) {
    const message = `The index was half written: header.bin counts ${counted(header.curElementCount, 'element')}, but ${INDEX_METADATA_FILE} is missing. Chroma builds it anew from the log.`
    findings.add('H3', message, {
      collection,
      command: commandLine('wal', 'commit', path),
      severity: 'W',
    })
  }

  for (const {file, id, what} of header ? [] : problems) {
    const message = `${join(basename(folder), file)} ${what}; nothing was ever stored in this index.`
    findings.add(id, message, {collection, severity: 'W', command: commandLine('wal', 'commit', path)})
  }

  return true
}

/** Folders next to it that bear its name: somebody put the index away. */
async function quarantinesOf(path: string, id: string): Promise<string[]> {
  const names = await readdir(path)
  return names.filter((name) => name !== id && name.startsWith(id)).sort()
}

/** H8, H14, H15 and W10. */
async function readMetadataFile(
  context: CheckContext,
  collection: CollectionFacts,
  file: string,
): Promise<IndexMetadataDigest | undefined> {
  const {findings, generation, path, signal} = context
  const rebuild = commandLine('hnsw', 'rebuild', path, ...collectionFlags(collection))
  let metadata: IndexMetadataDigest
  try {
    metadata = await readIndexMetadata(file, {ids: 'fingerprints', signal})
  } catch (error) {
    const message = damageText(error)
    if (message === undefined || deniedText(error) !== undefined) throw error
    findings.add('H8', `${message} Put it back from a backup: it says which vector is whose.`, {collection})
    return undefined
  }

  if (generation.engine === 'python' && metadata.form === 'dict') {
    const message = `${INDEX_METADATA_FILE} was written by Chroma 1.x, which the engine of this directory cannot read.`
    findings.add('H8', message, {collection, command: rebuild})
  }

  for (const {id, what} of indexMetadataProblems(metadata)) {
    findings.add(id, `${INDEX_METADATA_FILE} ${what}.`, {
      collection,
      ...(isCertain(metadata) ? {command: rebuild} : {repairable: 'partly' as const}),
    })
  }

  if (misses(context, metadata.maxSeqId, collection.vectorSegment?.maxSeqId !== undefined)) {
    const message = `Only ${INDEX_METADATA_FILE} says that the index has applied the log up to row ${metadata.maxSeqId}, and Chroma from 1.0 looks in the table max_seq_id: it applies the log a second time and may crash.`
    findings.add('W10', message, {collection, ...byFix(path)})
  }

  return metadata
}

/** Whether it is clear which vector is whose: a new index keeps one for each id. */
function isCertain({idToLabel, labels, repeatedIds}: IndexMetadataDigest): boolean {
  return repeatedIds === 0 && labels.size === idToLabel.size
}

/** H6 and H7. */
function checkAgainstCatalog(
  {findings, path}: CheckContext,
  collection: CollectionFacts,
  header: {M: number; dimension: number; efConstruction: number},
  parameters: HnswParameters | undefined,
): void {
  if (collection.dimension !== null && header.dimension !== collection.dimension) {
    const message = `The index has vectors of ${header.dimension} dimensions, and the collection has ${collection.dimension}. Restore the directory from a backup.`
    findings.add('H6', message, {collection})
  }

  if (!parameters) return
  const {constructionEf, m} = parameters
  // hnswlib raises ef_construction to M.
  if (header.M === m && header.efConstruction === Math.max(constructionEf, m)) return
  const message = `The index was built with M ${header.M} and ef_construction ${header.efConstruction}, and the collection asks for ${m} and ${constructionEf}: the index's own count.`
  const rebuild = commandLine('hnsw', 'rebuild', path, ...collectionFlags(collection))
  findings.add('H7', message, {collection, command: rebuild})
}

function lackingVectors(ids: IdTable, live: LabelSet): number {
  let lacking = 0
  for (const label of ids.values()) if (!live.has(label)) lacking += 1
  return lacking
}

/** H11: a graph takes 4 x 2M bytes for each element. */
async function checkReach(
  {findings, signal}: CheckContext,
  collection: CollectionFacts,
  folder: string,
  rebuild: string,
): Promise<void> {
  await findings.guard(
    'H11',
    'What searches can reach',
    async () => {
      const {header} = await inspectHeader(folder)
      if (!header || header.curElementCount === 0) return
      const graph = await loadGraph(folder, header, {signal})
      const {live, unreachable} = await measureGraph(graph, {signal})
      if (unreachable === 0) return
      const share = (100 * unreachable) / live
      findings.add('H11', `No search can find ${unreachable} of ${live} vectors (${share.toFixed(1)} %).`, {
        collection,
        command: rebuild,
        severity: share > UNREACHABLE ? 'W' : 'I',
      })
    },
    collection,
  )
}
