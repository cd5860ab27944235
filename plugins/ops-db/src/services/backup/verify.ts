import {ChopsError, damaged} from '@chops/core/errors'
import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {readdir, readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {createGunzip} from 'node:zlib'
import {extract} from 'tar-stream'

import {type BackedUpFile, type Manifest, MANIFEST, parseManifest} from './manifest.js'
import {readWhole} from './read-file.js'
import type {ArchiveFormat, BackupFormat} from './target.js'
import {decompressZstd} from './zstd.js'

/** A manifest of some hundred thousand files. */
const LONGEST_MANIFEST = 1 << 26

interface Found {
  files: BackedUpFile[]
  manifest: string | undefined
}

export interface VerifyOptions {
  format: BackupFormat
  /** What it is called in messages. */
  name: string
  signal?: AbortSignal | undefined
}

/**
 * Reads a backup back, a folder or an archive, and compares every file with the manifest: names, sizes and SHA-256.
 *
 * @throws ChopsError `damaged` that names the first file that differs
 */
export async function verifyBackup(
  path: string,
  {format, name: backup, signal}: VerifyOptions,
): Promise<Manifest> {
  const found =
    format === 'directory' ? await readFolder(path, signal) : await readArchive(path, backup, format, signal)
  if (found.manifest === undefined) {
    throw damaged(`${backup} is no complete backup: it holds no ${MANIFEST}.`, {
      file: backup,
      next: 'Take another backup; one that was interrupted never has this file.',
    })
  }

  const manifest = parseManifest(found.manifest, backup)
  const problems = differences(found.files, manifest)
  const [first] = problems
  if (first === undefined) return manifest
  const more = problems.length > 1 ? `, and ${problems.length - 1} more differ` : ''
  throw damaged(`${backup} is not what was backed up: ${first}${more}.`, {
    file: backup,
    next: 'Take another backup.',
  })
}

function differences(found: readonly BackedUpFile[], {files}: Manifest): string[] {
  const there = new Map(found.map((file) => [file.path, file]))
  const known = new Set(files.map(({path}) => path))
  return [
    ...files.flatMap(({bytes, path, sha256}) => {
      const file = there.get(path)
      if (!file) return [`${path} is missing`]
      if (file.bytes !== bytes) return [`${path} has ${file.bytes} bytes instead of ${bytes}`]
      return file.sha256 === sha256 ? [] : [`${path} has other content`]
    }),
    ...found.filter(({path}) => !known.has(path)).map(({path}) => `${path} was added`),
  ]
}

async function readFolder(folder: string, signal: AbortSignal | undefined): Promise<Found> {
  const found: Found = {files: [], manifest: undefined}
  const visit = async (prefix: string): Promise<void> => {
    for (const entry of await readdir(join(folder, prefix), {withFileTypes: true})) {
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`
      const source = join(folder, path)
      if (path === MANIFEST) found.manifest = await readFile(source, 'utf8')
      else if (entry.isDirectory()) await visit(path)
      else if (entry.isFile()) {
        const {size: bytes} = await stat(source)
        const sha256 = await readWhole({bytes, source}, async () => {}, signal)
        found.files.push({bytes, path, sha256})
      } else found.files.push({bytes: 0, path, sha256: ''})
    }
  }

  await visit('')
  return found
}

async function readArchive(
  path: string,
  file: string,
  format: ArchiveFormat,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const found: Found = {files: [], manifest: undefined}
  const bytes = createReadStream(path, {signal})
  const gunzip = format === 'tar.gz' ? createGunzip() : undefined
  // A pipe ends with its source, but does not fail with it; and both may fail before anybody reads them.
  bytes.on('error', (error) => gunzip?.destroy(error))
  gunzip?.on('error', () => {})
  const tar = extract()
  const source: AsyncIterable<Uint8Array> = gunzip ? bytes.pipe(gunzip) : decompressZstd(bytes, file)
  // One frame can be half a gigabyte, so no more of them is to wait than has to.
  const feeding = Readable.from(source, {highWaterMark: 1})
  feeding.on('error', (error) => tar.destroy(error))
  tar.on('error', () => {})
  feeding.pipe(tar as unknown as NodeJS.WritableStream)
  try {
    for await (const entry of tar) {
      const {name, type} = entry.header
      const path = name.slice(name.indexOf('/') + 1).replace(/\/$/, '')
      if (type === 'directory') entry.resume()
      else if (path === MANIFEST) found.manifest = await textOf(bytesOf(entry), file)
      else found.files.push(await summaryOf(bytesOf(entry), path))
    }
  } catch (error) {
    throw isOfFormat(error) ? cutOff(file, error) : error
  } finally {
    feeding.destroy()
    bytes.destroy()
  }

  return found
}

/** The streams of tar-stream are not typed by what they hold. */
function bytesOf(source: AsyncIterable<unknown>): AsyncIterable<Uint8Array> {
  return source as AsyncIterable<Uint8Array>
}

async function summaryOf(source: AsyncIterable<Uint8Array>, path: string): Promise<BackedUpFile> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of source) {
    hash.update(chunk)
    bytes += chunk.length
  }

  return {bytes, path, sha256: hash.digest('hex')}
}

async function textOf(source: AsyncIterable<Uint8Array>, file: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    length += chunk.length
    if (length > LONGEST_MANIFEST) throw cutOff(file)
  }

  return Buffer.concat(chunks).toString('utf8')
}

/** What zlib and tar-stream say about bytes that are not theirs, or end too soon. */
function isOfFormat(error: unknown): boolean {
  if (error instanceof ChopsError) return false
  const {code, errno, message} = error as NodeJS.ErrnoException
  return code?.startsWith('Z_') === true || (errno === undefined && /tar|Unexpected end/i.test(message))
}

function cutOff(file: string, cause?: unknown): Error {
  return damaged(`${file} is no complete backup: it is cut off or damaged.`, {
    cause,
    file,
    next: 'Take another backup.',
  })
}
