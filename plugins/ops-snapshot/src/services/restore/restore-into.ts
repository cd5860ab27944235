import {type Collection, fullName, readCatalog, readTopicPrefix} from '@chops/core/catalog'
import {
  allEnded,
  fsyncPath,
  removeUnlessOwned,
  requireFreeSpace,
  retire,
  writeHnswParameters,
} from '@chops/core/change'
import {endsTextsAtNul, hasNul, readFtsDefinition} from '@chops/core/fts'
import {insertPlaceholder, readLogEnd} from '@chops/core/log'
import {type PersistDir, segmentFolder} from '@chops/core/persist-dir'
import {attach, transaction} from '@chops/core/sqlite'

import type {Snapshot} from '../format/open.js'
import {indexBytes} from '../format/tables.js'
import {compareTables} from '../format/verify.js'
import {readStoredFiles} from '../format/read-index.js'
import {planConversion} from './conversion.js'
import {chooseIdentifiers, type Identifiers} from './identifiers.js'
import {insertRecords, SNAPSHOT} from './insert-records.js'
import {insertCollectionRows} from './insert-rows.js'
import {translateLogPosition} from './log-positions.js'
import {removeCollection, settleFullText} from './remove-collection.js'
import {adaptIndexMetadata, type RestoredIndex, restoreIndex} from './restore-index.js'
import {findReplaced, type RestoreTarget, type RestoreWish, targetOf} from './target.js'

export type RestoreStep = 'copy' | 'switch'

export interface RestoreOptions {
  onStep?: ((step: RestoreStep, done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
}

export interface RestoredCollection extends RestoreTarget {
  /** Where the index of the replaced collection lies now. */
  backup: string | undefined
  collectionId: string
  /** `tenant/database/name` of the collection that is gone. */
  replaced: string | undefined
  segmentId: string
  /** What went wrong once the collection was in force. */
  warning: string | undefined
}

/** Rows in Chroma's tables, with their indexes and the full-text index, take at most so many times what they take in a snapshot. */
const ROOM_FOR_ROWS = 3
/** Pages of the database kept in memory while rows go in, in KiB. */
const CACHE_KIB = 65_536

/** Bytes on the disk that the collection of a snapshot takes at most once it is restored. */
export async function roomFor(snapshot: Snapshot): Promise<number> {
  const stored = await snapshot.db.get<{bytes: null | number}>(
    'SELECT sum(length(data)) AS bytes FROM hnsw_segment_data',
  )
  const rows = snapshot.size - Number(stored?.bytes ?? 0)
  return indexBytes(await readStoredFiles(snapshot)) + ROOM_FOR_ROWS * rows
}

/**
 * Restores the collection of a snapshot into an open directory: the index files into a new folder, checked, and all rows,
 * compared with their checksums, in one transaction, which has kept other writers out since before. A replaced collection goes in the same
 * transaction; only then its folder becomes a backup. Killed at any point it leaves the old state or the new one in force,
 * and at most a folder without an owner.
 *
 * @param dir opened for writing
 * @throws ChopsError `usage` when the place is taken or the directory's generation cannot hold the collection, `damaged`
 * when the tables are not what their checksums say or the index is not sound; nothing is changed then
 */
export async function restoreInto(
  dir: PersistDir,
  snapshot: Snapshot,
  wish: RestoreWish,
  options: RestoreOptions = {},
): Promise<RestoredCollection> {
  await requireFreeSpace(dir.path, await roomFor(snapshot), 'the restored collection')
  await dir.db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
  await attach(dir.db, SNAPSHOT, snapshot.db)
  const target = targetOf(snapshot.collection, wish)
  let ids: Identifiers | undefined
  let replaced: Collection | undefined
  try {
    await transaction(dir.db, 'IMMEDIATE', async () => {
      replaced = findReplaced(await readCatalog(dir), target, wish)
      const topicPrefix = await readTopicPrefix(dir)
      const end = await readLogEnd(dir)
      // What is replaced may be all that tells.
      const isCut = await cutsDocuments(dir, snapshot)
      if (replaced) await removeCollection(dir, replaced, (await hasLog(snapshot)) ? end + 1 : end)
      ids = await chooseIdentifiers(dir, snapshot.collection)
      const topic = `${topicPrefix}${ids.collectionId}`
      const base = await beginLog(dir, topic, end)
      await restoreCollection(dir, snapshot, {base, ids, isCut, target, topic}, options)
      if (replaced) await settleFullText(dir)
      options.onStep?.('switch', 0, 1)
    })
  } catch (error) {
    if (ids) await removeUnlessOwned(dir, ids.vectorId, segmentFolder(dir.path, ids.vectorId))
    throw error
  }

  if (!ids) throw new Error('the transaction ended without ids')
  const {collectionId, vectorId} = ids as Identifiers
  const old = replaced as Collection | undefined
  const oldFolder = old?.vectorSegment && segmentFolder(dir.path, old.vectorSegment.id)
  const retired = oldFolder === undefined ? undefined : await retire(dir, oldFolder, true)
  return {
    ...target,
    backup: retired?.backup,
    collectionId,
    replaced: old && fullName(old),
    segmentId: vectorId,
    warning: retired?.warning,
  }
}

/**
 * The Python engines take a segment that stands at 0 for one without a position: they fail at an empty log, and pass over
 * the rows of another. So no log of theirs begins with rows of the snapshot.
 *
 * @returns the end of the log
 */
async function beginLog(dir: PersistDir, topic: string, end: number): Promise<number> {
  if (end > 0 || dir.generation.engine === 'rust') return end
  await insertPlaceholder(dir, {seqId: 1, topic})
  return 1
}

async function restoreCollection(
  dir: PersistDir,
  snapshot: Snapshot,
  {
    base,
    ids,
    isCut,
    target,
    topic,
  }: {base: number; ids: Identifiers; isCut: boolean; target: RestoreTarget; topic: string},
  options: RestoreOptions,
): Promise<void> {
  const conversion = await planConversion(snapshot, dir.generation)
  const folder = segmentFolder(dir.path, ids.vectorId)
  const {maxSeqId} = snapshot.collection.metadata
  const metadata = maxSeqId === undefined ? undefined : await translateLogPosition(snapshot, maxSeqId, base)
  const {applied, isPersisted} = await copyContents(
    dir,
    snapshot,
    {folder, ids, isCut, seqId: metadata},
    options,
  )
  const positions = {base, metadata, vector: await translateLogPosition(snapshot, applied, base)}
  if (isPersisted) await adaptIndexMetadata(dir, snapshot, folder, positions.vector)
  await insertCollectionRows(dir, snapshot, {conversion, ids, isPersisted, positions, target, topic})
  await writeHnswParameters(dir, {id: ids.collectionId}, ids.vectorId, conversion.parameters)
  options.signal?.throwIfAborted()
  await fsyncPath(dir.path)
}

/**
 * Writes index files and records side by side, while the tables are compared with their checksums: each waits mostly for
 * something else.
 */
async function copyContents(
  dir: PersistDir,
  snapshot: Snapshot,
  {folder, ids, isCut, seqId}: {folder: string; ids: Identifiers; isCut: boolean; seqId: number | undefined},
  {onStep, signal}: RestoreOptions,
): Promise<RestoredIndex> {
  const shares = {index: 0, records: 0}
  const report =
    (part: keyof typeof shares) =>
    (done: number, total: number): void => {
      shares[part] = total === 0 ? 1 : done / total
      onStep?.('copy', shares.index + shares.records, 2)
    }

  onStep?.('copy', 0, 2)
  const index = restoreIndex(snapshot, folder, {onProgress: report('index'), signal})
  const records = insertRecords(dir, snapshot, {
    isCut,
    onProgress: report('records'),
    segmentId: ids.metadataId,
    seqId,
    signal,
  })
  await allEnded([index, compareTables(snapshot, {signal}), records])
  return index
}

/** Whether the directory's full-text index gets the documents up to a NUL character only. */
async function cutsDocuments({db, generation}: PersistDir, snapshot: Snapshot): Promise<boolean> {
  if (!(await hasNul(snapshot.db))) return false
  const {tokenizer} = await readFtsDefinition(db)
  return endsTextsAtNul(db, {engine: generation.engine, tokenizer})
}

async function hasLog({db}: Snapshot): Promise<boolean> {
  return (await db.get('SELECT 1 FROM embeddings_queue LIMIT 1')) !== undefined
}
