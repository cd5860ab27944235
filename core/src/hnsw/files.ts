import {join} from 'node:path'
import {damaged, deniedError} from '../errors.js'
import {OpenFile} from './open-file.js'
import {type HnswFile, type HnswProblem, problemError} from './problems.js'

/** What every pass over an index file takes; `onProgress` counts bytes of that file. */
export interface ScanOptions {
  onProgress?: ((done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
}

/** An index file open for reading. */
export interface IndexFile {
  /** Bytes on the disk; far fewer than `size` in a sparse file. */
  allocated: number
  close(): void
  /** Fills `target` from a byte position, or throws a damaged-file error (H5, H9) when the file ends before. */
  read(target: Uint8Array, position: number): Promise<void>
  size: number
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}

/** @throws what is not wrong with the file itself: that it is somebody else's */
function unreadable(folder: string, file: HnswFile, error: unknown): HnswProblem {
  if (!isSystemError(error)) throw error
  const denied = deniedError(join(folder, file), error)
  if (denied) throw denied
  return {file, id: 'H3', what: error.code === 'ENOENT' ? 'is missing' : `cannot be read (${error.message})`}
}

async function readFully(
  opened: OpenFile,
  path: string,
  target: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0
  while (done < target.length) {
    let bytesRead = 0
    try {
      bytesRead = await opened.read(target.subarray(done), position + done)
    } catch (error) {
      if (!isSystemError(error)) throw error
      throw damaged(`${path} cannot be read (${error.message}).`, {cause: error, file: path})
    }

    if (bytesRead === 0) {
      throw damaged(`${path} ends at ${position + done} bytes, before the data that its header announces.`, {
        file: path,
        next: 'If Chroma is writing to this directory, stop it and try again.',
      })
    }

    done += bytesRead
  }
}

/**
 * Opens one of the four files, or says why that is impossible (H3).
 *
 * @throws ChopsError `damaged` for one that chops may not read
 */
export function tryOpenIndexFile(folder: string, file: HnswFile): HnswProblem | IndexFile {
  const path = join(folder, file)
  let opened: OpenFile
  try {
    opened = OpenFile.open(path)
  } catch (error) {
    return unreadable(folder, file, error)
  }

  const {stats} = opened
  if (!stats.isFile()) {
    opened.close()
    return {file, id: 'H3', what: 'is not a regular file'}
  }

  return {
    allocated: stats.blocks * 512,
    close: () => opened.close(),
    read: (target, position) => readFully(opened, path, target, position),
    size: stats.size,
  }
}

/**
 * Opens one of the four files; throws a damaged-file error when it is missing, unreadable, not a regular file
 * or shorter than `atLeast` bytes, which makes a size that a header announces safe to set memory aside for.
 */
export function openIndexFile(folder: string, file: HnswFile, atLeast = 0): IndexFile {
  const opened = tryOpenIndexFile(folder, file)
  if ('id' in opened) throw problemError(folder, opened)
  if (opened.size >= atLeast) return opened
  opened.close()
  const what = `is ${opened.size} bytes long, but its elements take ${atLeast}`
  throw problemError(folder, {file, id: 'H5', what})
}

/** Sets memory aside for an index of checked size; more than the machine has is an error that says so. */
export function allocate<T>(folder: string, create: () => T): T {
  try {
    return create()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw damaged(`The index in ${folder} is too large for the memory of this machine.`, {
      cause: error,
      file: folder,
      next: 'Use a machine with more memory.',
    })
  }
}
