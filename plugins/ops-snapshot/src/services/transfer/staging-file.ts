import type {ChromaRecord} from '@chops/core/records'

import {fsyncPath, namingFile} from '@chops/core/change'
import {damaged} from '@chops/core/errors'
import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {type FileHandle, open, rm, stat, truncate} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {parseRecord, recordLine} from './record-line.js'

/** No other character of UTF-8 has this byte in it. */
const NEWLINE = 0x0a

/**
 * What a pull has fetched, one record a line, in a file of the directory that it is going to. Lines are appended whole
 * and synced, so after a kill the file holds what was fetched before, and at most the beginning of a line.
 */
export class StagingFile {
  private appending: Promise<void> = Promise.resolve()

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    /** The ids of the records it holds. */
    readonly ids: Set<string>,
  ) {}

  /** @param source what tells this pull from every other, without secrets */
  static pathFor(persistDir: string, source: readonly string[]): string {
    const name = createHash('sha256').update(JSON.stringify(source)).digest('hex').slice(0, 16)
    return join(persistDir, `.chops-pull-${name}.jsonl`)
  }

  /**
   * Opens the file; one that is there is continued with `resume` and begins anew without.
   */
  static async open(path: string, {resume}: {resume: boolean}): Promise<StagingFile> {
    const ids = resume ? await recover(path) : new Set<string>()
    const handle = await open(path, resume ? 'a' : 'w', 0o600)
    await fsyncPath(dirname(path))
    return new StagingFile(path, handle, ids)
  }

  /** Appends records; calls that overlap come one after the other. */
  append(records: readonly ChromaRecord[]): Promise<void> {
    const lines = records.map((record) => recordLine(record)).join('')
    this.appending = this.appending.then(async () => {
      await namingFile(this.path, this.handle.appendFile(lines))
      await this.handle.datasync()
      for (const {id} of records) this.ids.add(id)
    })
    return this.appending
  }

  /**
   * The records in the order in which they came.
   *
   * @yields at most `size` records
   */
  async *pages(size: number): AsyncGenerator<ChromaRecord[]> {
    let page: ChromaRecord[] = []
    for await (const line of linesOf(this.path)) {
      page.push(parseRecord(line.toString(), this.path))
      if (page.length < size) continue
      yield page
      page = []
    }

    if (page.length > 0) yield page
  }

  close(): Promise<void> {
    return this.handle.close()
  }

  async remove(): Promise<void> {
    await this.handle.close()
    await rm(this.path, {force: true})
  }
}

/** Cuts off a line that was begun and never ended, and reads the ids of the others. */
async function recover(path: string): Promise<Set<string>> {
  const ids = new Set<string>()
  const found = await stat(path).catch(() => {})
  if (!found) return ids
  let whole = 0
  for await (const line of linesOf(path)) {
    const bytes = line.length + 1
    if (whole + bytes > found.size) break
    ids.add(parseRecord(line.toString(), path).id)
    whole += bytes
  }

  if (whole < found.size) await truncate(path, whole)
  return ids
}

/**
 * The lines of a file. For `node:readline` U+2028 and U+2029 end a line too, which JSON leaves in a text as they are.
 *
 * @yields the bytes of a line without its end, at last those of one that was begun
 */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  let begun: Buffer[] = []
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...begun, chunk.subarray(from, end)])
      begun = []
      from = end + 1
    }

    begun.push(chunk.subarray(from))
  }

  const rest = Buffer.concat(begun)
  if (rest.length > 0) yield rest
}

/** The error for a line that chops did not write. */
export function unreadableLine(path: string, cause?: unknown): Error {
  return damaged(`${path} holds a line that is no record.`, {
    cause,
    file: path,
    next: 'Remove it, and run the command again without --resume.',
  })
}
