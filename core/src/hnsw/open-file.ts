import {closeSync, constants, fstatSync, openSync, read, readSync, type Stats} from 'node:fs'
import {promisify} from 'node:util'

/** Up to this many bytes are read at once where they are asked for: a turn through another thread would take longer. */
const SHORT_READ = 64 * 1024

const readInThread = promisify(read)

/**
 * A file open for reading. A small index is all opening and reading a few bytes, which waits for the file system less than
 * a promise waits for a thread.
 */
export class OpenFile {
  private isClosed = false

  private constructor(
    private readonly fd: number,
    readonly stats: Stats,
  ) {}

  /** @throws the file system's error */
  static open(path: string): OpenFile {
    // O_NONBLOCK: opening a named pipe that somebody put here must not wait for a writer.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      return new OpenFile(fd, fstatSync(fd))
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** When no read is under way. A second call does nothing: the number may be that of another file by then. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    closeSync(this.fd)
  }

  /**
   * Reads from a byte position of the file into `target`.
   *
   * @returns how many bytes were read; 0 at the end of the file
   * @throws the file system's error
   */
  async read(target: Uint8Array, position: number): Promise<number> {
    if (target.length <= SHORT_READ) return readSync(this.fd, target, 0, target.length, position)
    const {bytesRead} = await readInThread(this.fd, target, 0, target.length, position)
    return bytesRead
  }
}
