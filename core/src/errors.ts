/** What went wrong, by meaning; the base command maps each kind to its exit code. */
export type ErrorKind = 'damaged' | 'in-use' | 'not-found' | 'usage'

export interface ErrorDetails {
  cause?: unknown
  /** The file or folder concerned, as the user would type it. */
  file?: string
  /** One sentence that says what to do next. */
  next?: string
}

/**
 * An error that chops expects: bad input, a directory in use, a name that does not exist.
 * Its message is one clear sentence; anything else that is thrown counts as a bug.
 */
export class ChopsError extends Error {
  readonly file: string | undefined
  readonly next: string | undefined

  constructor(
    readonly kind: ErrorKind,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, 'cause' in details ? {cause: details.cause} : undefined)
    this.name = 'ChopsError'
    this.file = details.file
    this.next = details.next
  }
}

/** A file that is truncated, noisy, hostile or cannot be read: nothing is changed, exit code 4. */
export function damaged(message: string, details?: ErrorDetails): ChopsError {
  return new ChopsError('damaged', message, details)
}

/** The directory is open in another process or locked: exit code 3. */
export function inUse(message: string, details?: ErrorDetails): ChopsError {
  return new ChopsError('in-use', message, details)
}

/** Not a Chroma directory, or no such collection, database or tenant: exit code 5. */
export function notFound(message: string, details?: ErrorDetails): ChopsError {
  return new ChopsError('not-found', message, details)
}

/** The command line asks for something that cannot be done: exit code 2. */
export function usage(message: string, details?: ErrorDetails): ChopsError {
  return new ChopsError('usage', message, details)
}

/** The error for a file that chops may not read, which says nothing about what is in it; undefined for any other error. */
export function deniedError(file: string, cause: Error & {code?: unknown}): ChopsError | undefined {
  if (cause.code !== 'EACCES' && cause.code !== 'EPERM') return undefined
  return damaged(`${file} cannot be read: permission denied.`, {
    cause,
    file,
    next: 'Run chops as the user that runs Chroma, or change the permissions.',
  })
}
