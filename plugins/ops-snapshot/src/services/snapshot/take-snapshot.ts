import {type Collection, findCollection, hnswParametersOf} from '@chops/core/catalog'
import {allEnded, betweenWrites, createOutputFile, requireFreeSpace} from '@chops/core/change'
import {damaged, inUse} from '@chops/core/errors'
import {inspectSourceFiles, requireSettled, requireUnchanged, type SourceFiles} from '@chops/core/hnsw'
import {requireSoundSegment} from '@chops/core/index-files'
import {type PersistDir, segmentFolder} from '@chops/core/persist-dir'
import {attach, createDatabase, type Database, openCommitted, transaction} from '@chops/core/sqlite'
import {stat} from 'node:fs/promises'
import {dirname} from 'node:path'

import type {Compression} from '../format/compression.js'
import {digestTables} from '../format/digest-tables.js'
import {infoRows} from '../format/info.js'
import {reserveSeal, seal} from '../format/seal.js'
import {DDL, FORMAT_VERSION, indexBytes} from '../format/tables.js'
import {copyRows, SOURCE} from './copy-rows.js'
import {countsOf, type SnapshotCounts} from '../format/counts.js'
import {writeIndexFile} from './write-index.js'

export interface SnapshotOptions {
  compression: Compression
  /** Counts bytes of index files. */
  onProgress?: ((done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
}

export interface TakenSnapshot {
  counts: SnapshotCounts
  /** Bytes of the file. */
  size: number
}

/** Of so many bytes on, a snapshot has large pages: SQLite takes a page at a time, and a small file would be mostly empty. */
const LARGE = 16 * 1024 * 1024
const LARGE_PAGE = 65_536

/**
 * Writes one collection into a file of its own: its rows, its log, its index files, and checksums of all of them. The
 * directory is only read; a read transaction keeps every other process from committing to it meanwhile. The file is there
 * when it is whole, or not at all.
 *
 * Memory: a few chunks of an index file, a page of rows, and 16 bytes for each element while the index is checked.
 *
 * @param dir opened for reading
 * @param owner the collection by its id; it is read again in the transaction
 * @throws ChopsError `damaged` when the index is not sound, `in-use` when its files change meanwhile, or a database that
 * no lock of a reader protects does
 */
export async function takeSnapshot(
  dir: PersistDir,
  owner: Pick<Collection, 'id'>,
  file: string,
  options: SnapshotOptions,
): Promise<TakenSnapshot> {
  const take = async (): Promise<TakenSnapshot> => {
    const collection = await findCollection(dir, owner)
    const source = await inspectSourceFiles(segmentFolder(dir.path, segmentsOf(dir, collection).vectorId))
    await requireFreeSpace(dirname(file), indexBytes(source.files), 'the snapshot')
    const counts = await createOutputFile(file, async (temporary) => {
      const written = await writeDatabase(temporary, dir, collection, source, options)
      await seal(temporary, options.signal)
      return written
    })
    return {counts, size: (await stat(file)).size}
  }

  return betweenWrites(dir, take, options.signal)
}

async function writeDatabase(
  file: string,
  dir: PersistDir,
  collection: Collection,
  source: SourceFiles,
  options: SnapshotOptions,
): Promise<SnapshotCounts> {
  const db = await createDatabase(file)
  try {
    // Before the size of the cache, of which SQLite makes a number of pages at once.
    if (indexBytes(source.files) >= LARGE) await db.exec(`PRAGMA page_size = ${LARGE_PAGE}`)
    // Nobody sees the file before it is whole, and it is synced then.
    await db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384')
    await attach(db, SOURCE, dir.db)
    return await transaction(db, 'DEFERRED', async () => {
      for (const ddl of DDL) await db.exec(ddl)
      // Side by side, for each waits mostly for something else: this thread, SQLite, or the threads that compress.
      await allEnded([
        requireSound(dir, collection, source, options),
        writeRows(db, dir, collection, options),
        writeFiles(db, dir, collection, source, options),
      ])
      await reserveSeal(db)
      return countsOf(db)
    })
  } finally {
    await db.close()
  }
}

async function writeRows(
  db: Database,
  dir: PersistDir,
  collection: Collection,
  {compression, signal}: SnapshotOptions,
): Promise<void> {
  await copyRows(db, dir, collection)
  for (const [key, value] of await infoRows(dir, collection, compression)) {
    await db.run('INSERT INTO snapshot_info (key, value) VALUES (?, ?)', [key, value])
  }

  // What is committed another connection can read, while this one takes the index files.
  await db.exec('COMMIT; BEGIN')
  const rowsOnly = await openCommitted(db)
  try {
    for (const [name, {rows, sha256}] of await digestTables(rowsOnly, FORMAT_VERSION, signal)) {
      await db.run('INSERT INTO snapshot_tables (name, row_count, sha256) VALUES (?, ?, ?)', [
        name,
        rows,
        sha256,
      ])
    }
  } finally {
    await rowsOnly.close()
  }
}

async function writeFiles(
  db: Database,
  dir: PersistDir,
  collection: Collection,
  source: SourceFiles,
  {compression, onProgress, signal}: SnapshotOptions,
): Promise<void> {
  const total = indexBytes(source.files)
  let done = 0
  const onBytes = (bytes: number): void => {
    done += bytes
    onProgress?.(done, total)
  }

  const {vectorId: segmentId} = segmentsOf(dir, collection)
  for (const file of source.files) await writeIndexFile(db, file, {compression, onBytes, segmentId, signal})
  await requireUnchanged(source)
  if (dir.db.isCurrent()) return
  throw inUse(`${dir.databaseFile} was written to while it was read.`, {
    file: dir.databaseFile,
    next: 'Run the command again when Chroma is not writing, or stop it.',
  })
}

/**
 * A snapshot of an index that no engine can use would be found out when it is needed.
 *
 * @throws ChopsError `damaged`, or `in-use` when Chroma is just writing the index
 */
async function requireSound(
  dir: PersistDir,
  collection: Collection,
  source: SourceFiles,
  {signal}: SnapshotOptions,
): Promise<void> {
  const {folder} = source
  const {dimension, vectorSegment} = collection
  const cosine = hnswParametersOf(dir, collection).space === 'cosine'
  const metadata = await requireSoundSegment(folder, {cosine, dimension}, {signal}).catch(
    async (error: unknown) => {
      await requireSettled(source, signal)
      throw error
    },
  )
  if (metadata || vectorSegment?.maxSeqId === undefined) return
  throw damaged(
    `${folder} holds no index, although it has applied the log up to row ${vectorSegment.maxSeqId}.`,
    {file: folder, next: 'Put the folder back from a backup: vectors that left the log exist nowhere else.'},
  )
}

function segmentsOf(
  {databaseFile}: PersistDir,
  {metadataSegment, name, vectorSegment}: Collection,
): {metadataId: string; vectorId: string} {
  if (metadataSegment && vectorSegment) return {metadataId: metadataSegment.id, vectorId: vectorSegment.id}
  const missing = vectorSegment ? 'metadata' : 'vector'
  throw damaged(`Collection ${name} has no ${missing} segment in ${databaseFile}.`, {
    file: databaseFile,
    next: 'Restore chroma.sqlite3 from a backup.',
  })
}
