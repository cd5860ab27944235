import {type FileHandle, open} from 'node:fs/promises'
import {type ChopsError, damaged} from '../../errors.js'

const CAPACITY = 1024 * 1024

/** The error for a file of a native library that ends too early: neither library notices when the disk is full. */
function incomplete(path: string): ChopsError {
  return damaged(`${path} was written only in part.`, {
    file: path,
    next: 'Free some disk space and try again; nothing was changed.',
  })
}

/** Reads a file that a native library wrote from front to back, in pieces of known size. */
export class ByteReader {
  /** Index in `bytes` of the next byte. */
  at = 0
  bytes: Buffer = Buffer.allocUnsafe(CAPACITY)
  private end = 0
  private position = 0

  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    private readonly size: number,
  ) {}

  /** Throws when bytes are left, which means that the file is not what it was taken for. */
  expectEnd(): void {
    if (this.position - (this.end - this.at) !== this.size)
      throw new Error(`${this.path} goes on after its end`)
  }

  /** Whether `count` bytes follow `at` without reading. */
  has(count: number): boolean {
    return this.end - this.at >= count
  }

  /** Makes `count` bytes follow `at`; throws a damaged-file error when the file ends before. */
  async need(count: number): Promise<void> {
    if (this.has(count)) return
    const rest = this.bytes.subarray(this.at, this.end)
    if (count - rest.length > this.size - this.position) throw incomplete(this.path)
    if (count > this.bytes.length) this.bytes = Buffer.allocUnsafe(count)
    this.bytes.set(rest)
    this.at = 0
    this.end = rest.length
    while (!this.has(count)) {
      const {bytesRead} = await this.handle.read(
        this.bytes,
        this.end,
        this.bytes.length - this.end,
        this.position,
      )
      if (bytesRead === 0) throw incomplete(this.path)
      this.end += bytesRead
      this.position += bytesRead
    }
  }

  /** Goes on `count` bytes further without reading them. */
  skip(count: number): void {
    const buffered = Math.min(count, this.end - this.at)
    this.at += buffered
    this.position += count - buffered
    if (this.position > this.size) throw incomplete(this.path)
  }
}

/** Opens a file for `work` and closes it afterwards. */
export async function readBytes<T>(path: string, work: (input: ByteReader) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r')
  try {
    const {size} = await handle.stat()
    return await work(new ByteReader(handle, path, size))
  } finally {
    await handle.close()
  }
}
