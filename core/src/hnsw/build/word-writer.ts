import {type FileHandle, open} from 'node:fs/promises'

import {namingFile} from '../../change/file-writes.js'

const CAPACITY = 256 * 1024

/** Writes little-endian 32-bit words, record by record, in large pieces. */
export class WordWriter {
  /** Index in `words` of the next word. */
  at = 0
  readonly bytes: Uint8Array
  readonly floats: Float32Array
  readonly words: Uint32Array

  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    capacity: number,
  ) {
    const buffer = new ArrayBuffer(capacity * 4)
    this.bytes = new Uint8Array(buffer)
    this.floats = new Float32Array(buffer)
    this.words = new Uint32Array(buffer)
  }

  async flush(): Promise<void> {
    await namingFile(this.path, this.handle.writeFile(this.bytes.subarray(0, this.at * 4)))
    this.at = 0
  }

  /** Whether `count` words fit without writing. */
  has(count: number): boolean {
    return this.at + count <= this.words.length
  }
}

/**
 * Creates a file, which must not exist yet, out of records of at most `longest` words. `work` writes them, calling `flush`
 * where the next record does not fit. The file is not synced to the disk, see `syncIndex`.
 */
export async function writeWords(
  path: string,
  longest: number,
  work: (out: WordWriter) => Promise<void>,
): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    const out = new WordWriter(handle, path, Math.max(CAPACITY, longest))
    await work(out)
    await out.flush()
  } finally {
    await handle.close()
  }
}
