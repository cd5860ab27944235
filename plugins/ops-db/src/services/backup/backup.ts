import {readCatalog} from '@chops/core/catalog'
import {betweenWrites, createOutputFile, fsyncPath, namingFile, requireFreeSpace} from '@chops/core/change'
import {inUse} from '@chops/core/errors'
import {generationText, type PersistDir} from '@chops/core/persist-dir'
import {randomUUID} from 'node:crypto'
import {mkdir, open, rename, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {type Contents, DATABASE, listContents} from './contents.js'
import {type BackedUpFile, type Manifest, MANIFEST, manifestText, totalBytes} from './manifest.js'
import {FileShrank} from './read-file.js'
import type {ArchiveFormat, BackupFormat, Target} from './target.js'
import {writeArchive} from './to-archive.js'
import {copyTo, finishFolders} from './to-folder.js'
import {verifyBackup} from './verify.js'

export interface Backup {
  bytes: number
  chromaVersion: string
  createdAt: null | string
  files: number
  format: BackupFormat
  output: string
  persistDirectory: string
  /** What is left out, each with the reason. */
  skipped: {path: string; reason: string}[]
  status: 'cancelled' | 'done' | 'dry-run'
  /** Every file was read back and compared. */
  verified: boolean
}

export type BackupStep = 'copy' | 'verify'

export interface BackupOptions {
  onStep?: (step: BackupStep, done: number, total: number) => void
  signal?: AbortSignal
  /** Read the backup back before it gets its name. */
  verify?: boolean
}

/** How often a directory whose index files change is copied again. */
const ATTEMPTS = 3

/** Nobody else reads a backup that is not finished. */
const PRIVATE = 0o700

/** What a backup would hold. */
export async function planBackup(dir: PersistDir, target: Target): Promise<Backup> {
  const {entries, skipped} = await contentsOf(dir)
  const files = entries.filter(({isFolder}) => !isFolder)
  return {
    bytes: totalBytes(files),
    chromaVersion: generationText(dir.generation),
    createdAt: null,
    files: files.length,
    format: target.format,
    output: target.path,
    persistDirectory: dir.path,
    skipped,
    status: 'dry-run',
    verified: false,
  }
}

/**
 * Copies the directory as it is at one instant: SQLite's shared lock keeps every commit away, and index files that were
 * written to meanwhile make it start again. The backup gets its name when it is complete and on the disk.
 *
 * @throws ChopsError `in-use` when the index files keep changing, or a database that no lock of a reader protects does
 */
export async function backUp(
  dir: PersistDir,
  {format, path: target}: Target,
  options: BackupOptions = {},
): Promise<Backup> {
  for (let attempt = 1; attempt <= ATTEMPTS && dir.db.isCurrent(); attempt++) {
    try {
      const {manifest, skipped} =
        format === 'directory'
          ? await toFolder(dir, target, options)
          : await toArchive(dir, target, format, options)
      return {
        bytes: totalBytes(manifest.files),
        chromaVersion: manifest.chromaVersion,
        createdAt: manifest.createdAt,
        files: manifest.files.length,
        format,
        output: target,
        persistDirectory: dir.path,
        skipped,
        status: 'done',
        verified: options.verify ?? false,
      }
    } catch (error) {
      if (!(error instanceof Changed) && !(error instanceof FileShrank)) throw error
    }
  }

  throw inUse(`Files in ${dir.path} change while they are copied; no backup was written.`, {
    file: dir.path,
    next: 'Stop what writes to Chroma and run the command again.',
  })
}

/** The directory was written to while it was copied. */
class Changed extends Error {}

interface Taken {
  manifest: Manifest
  skipped: Contents['skipped']
}

/** Makes the manifest of what was read, unless it was changed meanwhile. */
type Seal = (files: BackedUpFile[]) => Promise<Manifest>

async function toFolder(dir: PersistDir, target: string, options: BackupOptions): Promise<Taken> {
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    await mkdir(temporary, {mode: PRIVATE})
    const taken = await atOneInstant(dir, options, async (contents, seal) => {
      await requireRoom(target, contents)
      const onBytes = counter(contents, options)
      const files: BackedUpFile[] = []
      for (const entry of contents.entries) {
        const file = await copyTo(temporary, entry, onBytes, options.signal)
        if (file) files.push(file)
      }

      return {entries: contents.entries, manifest: await seal(files), skipped: contents.skipped}
    })
    await finishFolders(temporary, taken.entries)
    await writeFile(join(temporary, MANIFEST), manifestText(taken.manifest), {flag: 'wx', flush: true})
    await fsyncPath(temporary)
    await verifyIfAsked(temporary, {format: 'directory', name: target}, options)
    options.signal?.throwIfAborted()
    await rename(temporary, target)
    await fsyncPath(dirname(target))
    return taken
  } catch (error) {
    await rm(temporary, {force: true, recursive: true})
    throw error
  }
}

async function toArchive(
  dir: PersistDir,
  target: string,
  format: ArchiveFormat,
  options: BackupOptions,
): Promise<Taken> {
  return createOutputFile(target, async (temporary) => {
    const taken = await atOneInstant(dir, options, async (contents, seal) => {
      await requireRoom(target, contents)
      const progress = {onBytes: counter(contents, options), signal: options.signal}
      const file = await open(temporary, 'wx')
      const write = async (chunk: Uint8Array): Promise<void> => {
        await namingFile(target, file.writeFile(chunk))
      }

      try {
        const manifest = await writeArchive(
          {entries: contents.entries, format, target},
          write,
          seal,
          progress,
        )
        return {manifest, skipped: contents.skipped}
      } finally {
        await file.close()
      }
    })
    await verifyIfAsked(temporary, {format, name: target}, options)
    options.signal?.throwIfAborted()
    return taken
  })
}

/**
 * Runs work while nobody can commit anything to SQLite: from its first read to its end a transaction keeps the shared
 * lock. A Chroma that only reads goes on; one that writes is told that the database is locked.
 */
async function atOneInstant<T>(
  dir: PersistDir,
  {signal}: BackupOptions,
  work: (contents: Contents, seal: Seal) => Promise<T>,
): Promise<T> {
  const copy = async (): Promise<T> => {
    const contents = await contentsOf(dir)
    const seal: Seal = async (files) => {
      const isSame = dir.db.isCurrent() && stateOf(await contentsOf(dir)) === stateOf(contents)
      if (!isSame) throw new Changed()
      return {
        chromaVersion: generationText(dir.generation),
        createdAt: new Date().toISOString(),
        files,
        format: 1,
        persistDirectory: dir.path,
      }
    }

    return work(contents, seal)
  }

  return betweenWrites(dir, copy, signal)
}

async function contentsOf(dir: PersistDir): Promise<Contents> {
  const {segments} = await readCatalog(dir)
  // Of a database that was left in the middle of a write, the private copy in which SQLite has undone it.
  const main = await dir.db.get<{file: string}>("SELECT file FROM pragma_database_list WHERE name = 'main'")
  return listContents(
    dir.path,
    segments.map(({id}) => id),
    main?.file ?? dir.databaseFile,
  )
}

/** Of what must not change while it is copied; other files are copied as they come. */
function stateOf({entries}: Contents): string {
  return entries
    .filter(({isIndex, path}) => isIndex || path === DATABASE)
    .map(({path, state}) => `${path} ${state}`)
    .join('\n')
}

async function requireRoom(target: string, {entries}: Contents): Promise<void> {
  const bytes = totalBytes(entries.map((entry) => ({bytes: Math.min(entry.allocated, entry.bytes)})))
  await requireFreeSpace(dirname(target), bytes, 'the backup')
}

function counter({entries}: Contents, {onStep}: BackupOptions): (bytes: number) => void {
  const total = totalBytes(entries)
  let done = 0
  onStep?.('copy', 0, total)
  return (bytes) => {
    done += bytes
    onStep?.('copy', done, total)
  }
}

async function verifyIfAsked(
  path: string,
  as: {format: BackupFormat; name: string},
  {onStep, signal, verify}: BackupOptions,
): Promise<void> {
  if (!verify) return
  onStep?.('verify', 0, 1)
  await verifyBackup(path, {...as, signal})
}
