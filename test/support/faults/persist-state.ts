import {createHash} from 'node:crypto'
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs'
import {basename, join} from 'node:path'

import type {Collection} from '../../../core/src/catalog/catalog.js'
import type {Space} from '../../../core/src/catalog/hnsw-parameters.js'
import type {PersistDir} from '../../../core/src/persist-dir/persist-dir.js'

import {hnswParametersOf, readCatalog} from '../../../core/src/catalog/catalog.js'
import {fullName} from '../../../core/src/catalog/select-collection.js'
import {checkIndexFiles} from '../../../core/src/hnsw/check.js'
import {readHeader} from '../../../core/src/hnsw/header.js'
import {indexMetadataProblems, readIndexMetadata} from '../../../core/src/hnsw/index-metadata.js'
import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {findOrphanFolders} from '../../../core/src/persist-dir/leftovers.js'
import {INDEX_FILES, segmentFolder} from '../../../core/src/persist-dir/segment-folders.js'
import {databaseProblems, type Log, type LogRow, readLog, readUntouched} from './database-state.js'
import {readElements} from '../elements.js'

const knownFiles: readonly string[] = INDEX_FILES

/** The embedding that a record has, whatever a cosine index makes of it. */
export type Vectors = Map<string, Float32Array>

export interface CollectionState {
  /** The newest log row that the index has. */
  applied: number
  /** The newest log row that the metadata segment has. */
  appliedInMetadata: number
  /** Of the names and bytes of the files in its folder; undefined when there is no folder. */
  fingerprint: string | undefined
  /** The folder's name. */
  folder: string | undefined
  /** What the index holds. */
  indexed: Vectors
  name: string
  space: Space
  topic: string
}

/** Everything that a persist directory says, read off its files. */
export interface PersistState {
  collections: Map<string, CollectionState>
  /** Names in the directory. */
  entries: string[]
  log: Log
  /** Folders that `db clean` would take for orphans. */
  orphans: string[]
  /** What is wrong with the directory in itself. */
  problems: string[]
  /** Digests of rows that no work on log or index touches, by what they are. */
  untouched: Map<string, string>
}

/**
 * Opens a directory for writing, as Chroma would, so that SQLite rolls an unfinished transaction back, and reads all
 * that it says about its records.
 */
export async function readPersistState(persistDir: string): Promise<PersistState> {
  const dir = await openPersistDir(persistDir, 'write')
  try {
    const {collections, segments} = await readCatalog(dir)
    const problems = await databaseProblems(dir.db)
    const states = new Map<string, CollectionState>()
    for (const collection of collections) {
      states.set(collection.id, await readCollection(dir, collection, problems))
    }

    const orphans = await findOrphanFolders(
      dir.path,
      segments.map(({id}) => id),
    )
    return {
      collections: states,
      entries: readdirSync(dir.path).sort(),
      log: await readLog(dir.db),
      orphans: orphans.map(({id}) => id),
      problems,
      untouched: await readUntouched(dir.db),
    }
  } finally {
    await dir.close()
  }
}

/** Applies log rows to vectors, as both engines do: an add of a known id and an update of an unknown one do nothing. */
export function replay(vectors: Vectors, rows: Iterable<LogRow>): Vectors {
  const result = new Map(vectors)
  for (const {id, operation, vector} of rows) {
    const isKnown = result.has(id)
    if (operation === 3) result.delete(id)
    else if (vector && (operation === 2 || (operation === 1 && isKnown) || (operation === 0 && !isKnown))) {
      result.set(id, vector)
    }
  }

  return result
}

/** The rows of a topic with `after < seq id <= upTo`. */
export function rowsBetween(log: Log, topic: string, after: number, upTo = Infinity): LogRow[] {
  return [...log]
    .filter(([seqId, row]) => row.topic === topic && seqId > after && seqId <= upTo)
    .map(([, row]) => row)
}

/** Names and bytes of the files of a folder. */
export function folderFingerprint(folder: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name)
    hash.update(`${name}\0`)
    hash.update(statSync(path).isFile() ? readFileSync(path) : 'folder')
  }

  return hash.digest('hex')
}

async function readCollection(
  dir: PersistDir,
  collection: Collection,
  problems: string[],
): Promise<CollectionState> {
  const name = fullName(collection)
  const segment = collection.vectorSegment
  const folder = segment && segmentFolder(dir.path, segment.id)
  const hasFolder = folder !== undefined && existsSync(folder)
  const state: CollectionState = {
    applied: segment?.maxSeqId ?? 0,
    appliedInMetadata: collection.metadataSegment?.maxSeqId ?? 0,
    fingerprint: hasFolder ? folderFingerprint(folder) : undefined,
    folder: folder && basename(folder),
    indexed: new Map(),
    name,
    space: hnswParametersOf(dir, collection).space,
    topic: collection.topic,
  }
  if (!segment) problems.push(`${name} has no vector segment`)
  const isPersisted = hasFolder && existsSync(join(folder, 'index_metadata.pickle'))
  if (isPersisted) await readIndex(folder, state, segment?.maxSeqId === undefined, problems)
  else if (segment?.maxSeqId !== undefined)
    problems.push(`${name} has applied the log, but its index is gone`)
  else if (hasFolder && existsSync(join(folder, 'header.bin'))) {
    const {curElementCount} = await readHeader(folder)
    if (curElementCount > 0) problems.push(`the index of ${name} has elements, but no ids`)
  }

  return state
}

async function readIndex(
  folder: string,
  state: CollectionState,
  seqIdInFile: boolean,
  problems: string[],
): Promise<void> {
  const complain = (what: string): void => {
    problems.push(`the index of ${state.name} ${what}`)
  }

  const strange = readdirSync(folder).filter((file) => !knownFiles.includes(file))
  if (strange.length > 0) complain(`holds ${strange.join(', ')}`)
  const metadata = await readIndexMetadata(join(folder, 'index_metadata.pickle'), {ids: true})
  if (seqIdInFile) state.applied = metadata.maxSeqId ?? 0
  const cosine = state.space === 'cosine'
  const broken = [...(await checkIndexFiles(folder, {cosine})), ...indexMetadataProblems(metadata)]
  for (const {file, id, what} of broken) complain(`breaks ${id}: ${file} ${what}`)
  if (broken.length > 0) return

  const {dimension, labels, norms, vectors} = await readElements(
    folder,
    await readHeader(folder),
    state.space,
  )
  const positions = new Map(Array.from(labels, (label, position) => [label, position]))
  if (positions.size !== metadata.idToLabel.size) {
    complain(`has ${positions.size} live elements, but ${metadata.idToLabel.size} ids`)
  }

  for (const [id, label] of metadata.idToLabel) {
    const position = positions.get(label)
    if (position === undefined) {
      complain(`has no live element for the id ${id}`)
      continue
    }

    const vector = vectors.slice(position * dimension, (position + 1) * dimension)
    state.indexed.set(id, norms ? vector.map((value) => value * (norms[position] ?? Number.NaN)) : vector)
  }
}
