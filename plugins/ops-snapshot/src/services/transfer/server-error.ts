import {type ChopsError, damaged, inUse, notFound, usage} from '@chops/core/errors'

/** A request that failed: the server's answer, or that there was none. */
export class ServerError extends Error {
  constructor(
    /** What the server says, or why it cannot be reached. */
    readonly detail: string,
    /** Status of HTTP; absent without an answer. */
    readonly status: number | undefined,
    readonly options: {cause?: unknown; code?: string | undefined; retryAfter?: number | undefined} = {},
  ) {
    super(
      status === undefined ? detail : `${status}: ${detail}`,
      'cause' in options ? {cause: options.cause} : {},
    )
    this.name = 'ServerError'
  }

  /** Whether the same request may succeed a little later: no answer, too many requests, or a failure of the server. */
  get isPassing(): boolean {
    const {status} = this
    if (status === undefined) return !PERMANENT.has(this.options.code ?? '')
    return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 507)
  }
}

/** The code of Node's error for a text beyond 512 MB. */
export const TOO_LONG = 'ERR_STRING_TOO_LONG'

/** Failures that waiting does not cure: certificates, addresses that are none, and answers that are too long. */
const PERMANENT = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ENOTFOUND',
  'EPROTO',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  TOO_LONG,
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const RESUME = 'Nothing is lost on either side; run the command again with --resume.'

/** The servers say so each in its own words: SQLite's, Chroma Cloud's, the operating system's. */
const FULL = /quota exceeded|billing limit|no space left|database or disk is full|disk quota/i

const SEE = 'See what it says; names, sizes and metadata have to fit that server.'

/** What to do about what a server refuses, by what it says. */
const REMEDIES: [pattern: RegExp, next: string][] = [
  [
    /dimension/i,
    'Embeddings of another dimension need a collection of their own: give it another name with --as.',
  ],
  // From 1.0 to 1.4, whose answer to a question for the version does not tell them from 1.5.
  [/UpdateMetadataValue/, 'Lists in the metadata of records need a server of Chroma 1.5 or later.'],
]

/**
 * Turns a failed request into what the user is told; anything else comes back as it is.
 *
 * @param doing what was going on, as the end of "The server at ... failed"
 */
export function explain(error: unknown, server: string, doing: string): unknown {
  return error instanceof ServerError ? sentenceOf(error, server, doing) : error
}

function sentenceOf(error: ServerError, server: string, doing: string): ChopsError {
  const {detail, options, status} = error
  const cause = error
  if (options.code === TOO_LONG) {
    return damaged(`The server at ${server} answers with more than chops can take at once (${doing}).`, {
      cause,
      next: `Ask for fewer records at once with --batch-size. ${RESUME}`,
    })
  }

  if (status === undefined) {
    return notFound(`The server at ${server} cannot be reached (${doing}): ${detail}.`, {
      cause,
      next: `Check that it runs and that the address is right. ${RESUME}`,
    })
  }

  if (status === 401 || status === 403) {
    return usage(`The server at ${server} refuses the token (${doing}, status ${status}).`, {
      cause,
      next: 'Give the right one in the environment variable CHROMA_TOKEN, or what the server wants with --header.',
    })
  }

  // Most often of a proxy: nginx lets 1 MB through when it is told nothing.
  if (status === 413) {
    return damaged(`The server at ${server} does not take a request this large (${doing}): ${detail}.`, {
      cause,
      next: `Send fewer records at once with --batch-size, or raise the limit of the server or of the proxy before it. ${RESUME}`,
    })
  }

  if (status === 507 || FULL.test(detail)) {
    return damaged(`The server at ${server} has no room left (${doing}): ${detail}.`, {
      cause,
      next: `Make room on the server, or raise its quota. ${RESUME}`,
    })
  }

  if (status === 429 || status === 503) {
    const wait = options.retryAfter === undefined ? '' : ` It asks to wait ${options.retryAfter} s.`
    return inUse(`The server at ${server} stays busy (${doing}, status ${status}): ${detail}.`, {
      cause,
      next: `Try later.${wait} ${RESUME}`,
    })
  }

  if (status >= 300 && status < 400) {
    return usage(`The server at ${server} sends elsewhere (${doing}, status ${status}).`, {
      cause,
      next: 'Give the address it sends to with --url: a token is not taken along to another server.',
    })
  }

  if (status < 500) {
    return usage(
      `The server at ${server} does not accept the request (${doing}, status ${status}): ${detail}.`,
      {
        cause,
        next: REMEDIES.find(([pattern]) => pattern.test(detail))?.[1] ?? SEE,
      },
    )
  }

  return damaged(`The server at ${server} failed (${doing}, status ${status}): ${detail}.`, {
    cause,
    next: `Look into its log. ${RESUME}`,
  })
}

/** Runs requests; what fails comes out as what the user is told. */
export async function speaking<T>(
  {baseUrl}: {baseUrl: string},
  doing: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explain(error, baseUrl, doing)
  }
}
