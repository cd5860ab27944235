import type {Write} from '@chops/core/change'
import {once} from 'node:events'
import {createGzip} from 'node:zlib'
import {pack as createPack, type Pack} from 'tar-stream'

import type {Entry} from './contents.js'
import {type BackedUpFile, type Manifest, MANIFEST, manifestText} from './manifest.js'
import {readWhole} from './read-file.js'
import {type ArchiveFormat, topFolderOf} from './target.js'
import {compressZstd} from './zstd.js'

/** What goes where. */
export interface ArchivePlan {
  entries: readonly Entry[]
  format: ArchiveFormat
  target: string
}

/**
 * Writes entries as a compressed tar, and as the last of them the manifest, which makes it complete.
 *
 * @param manifestOf makes it, once all files have been read
 */
export async function writeArchive(
  {entries, format, target}: ArchivePlan,
  write: Write,
  manifestOf: (files: BackedUpFile[]) => Promise<Manifest>,
  {onBytes, signal}: {onBytes: (bytes: number) => void; signal?: AbortSignal | undefined},
): Promise<Manifest> {
  const pack = createPack()
  const packing = async (): Promise<Manifest> => {
    const top = topFolderOf(target)
    const files: BackedUpFile[] = []
    for (const entry of entries) {
      const sha256 = await packEntry(pack, `${top}/${entry.path}`, entry, onBytes, signal)
      if (sha256 !== undefined) files.push({bytes: entry.bytes, path: entry.path, sha256})
    }

    const manifest = await manifestOf(files)
    const text = Buffer.from(manifestText(manifest))
    await new Promise<void>((resolve, reject) => {
      pack.entry({name: `${top}/${MANIFEST}`, size: text.length}, text, (error) =>
        error ? reject(error) : resolve(),
      )
    })
    pack.finalize()
    return manifest
  }

  const gzip = format === 'tar.gz' ? createGzip() : undefined
  let unwritable: unknown
  const writing = async (): Promise<void> => {
    const bytes: AsyncIterable<Uint8Array> = gzip
      ? pack.pipe(gzip)
      : compressZstd(pack as AsyncIterable<unknown> as AsyncIterable<Uint8Array>)
    for await (const chunk of bytes) {
      await write(chunk).catch((error: unknown) => {
        unwritable = error
        throw error
      })
    }
  }

  // Whichever fails ends the other, which would wait for it for ever. The error is thrown below, to be told once.
  pack.on('error', () => {})
  gzip?.on('error', () => {})
  const stop = (error: unknown): never => {
    pack.destroy(error as Error)
    gzip?.destroy(error as Error)
    throw error
  }

  const [packed, written] = await Promise.allSettled([packing().catch(stop), writing().catch(stop)])
  if (packed.status === 'fulfilled' && written.status === 'fulfilled') return packed.value
  const reasons: unknown[] = [packed, written].flatMap((end) =>
    end.status === 'rejected' ? [end.reason] : [],
  )
  throw unwritable ?? reasons.find((reason) => isCause(reason)) ?? reasons[0]
}

/** Not what one side says when the other has gone. */
function isCause(error: unknown): boolean {
  const {code} = error as NodeJS.ErrnoException
  return !['ABORT_ERR', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code ?? '')
}

async function packEntry(
  pack: Pack,
  name: string,
  entry: Entry,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const {bytes: size, isFolder, mode, modified: mtime} = entry
  if (isFolder) {
    pack.entry({mode, mtime, name, type: 'directory'})
    return undefined
  }

  const closed = new AbortController()
  const stream = pack.entry({mode, mtime, name, size})
  const ended = new Promise<void>((resolve, reject) => {
    stream.once('error', reject)
    stream.once('close', () => {
      closed.abort()
      resolve()
    })
  })
  // It is awaited below, after what may fail before.
  ended.catch(() => {})
  const sha256 = await readWhole(
    entry,
    async (chunk) => {
      // The buffer is filled again as soon as this settles.
      if (!stream.write(Buffer.from(chunk))) await once(stream, 'drain', {signal: closed.signal})
      onBytes(chunk.length)
    },
    signal,
  )
  stream.end(null)
  await ended
  return sha256
}
