import {namingFile} from '@chops/core/change'
import type {FileHandle} from 'node:fs/promises'

/** Bytes that the disk is told to write while the next ones come. */
const WRITTEN_BEHIND = 64 * 1024 * 1024

/** Syncs a file while it is written, so that the disk does not wait for the end of a large one with all of it. */
export class WriteBehind {
  private syncing = Promise.resolve()
  private waiting = 0

  /** @param path of the file, for errors */
  constructor(
    private readonly file: FileHandle,
    private readonly path: string,
  ) {}

  /** To be told how many bytes were written; waits when the disk falls too far behind. */
  async wrote(bytes: number): Promise<void> {
    this.waiting += bytes
    if (this.waiting < WRITTEN_BEHIND) return
    this.waiting = 0
    await this.syncing
    this.syncing = namingFile(this.path, this.file.datasync())
    // Met before the next one begins, or at the end.
    this.syncing.catch(() => {})
  }

  /** Everything is on the disk afterwards. */
  async end(): Promise<void> {
    await this.syncing
    await namingFile(this.path, this.file.sync())
  }
}
