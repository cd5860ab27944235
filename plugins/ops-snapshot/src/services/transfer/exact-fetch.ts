import {parseExactJson} from '@chops/core/records'

import {ServerError, TOO_LONG} from './server-error.js'

/** How much of what a server says goes into a message. */
const DETAIL_LENGTH = 300

/**
 * A `fetch` for the client that keeps what its own loses: the status and the reason of a failure, and integers and floats
 * apart in JSON.
 *
 * @throws ServerError without a good answer
 */
export const exactFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init).catch((error: unknown) => {
    throw noAnswer(error)
  })
  if (!response.ok) throw await failureOf(response)
  const text = await response.text().catch((error: unknown) => {
    throw noAnswer(error)
  })
  const answer = new Response(response.status === 204 ? null : text, {
    headers: response.headers,
    status: response.status,
  })
  return Object.defineProperty(answer, 'json', {value: async () => parseAnswer(text, response.status)})
}

function parseAnswer(text: string, status: number): unknown {
  try {
    return parseExactJson(text)
  } catch (error) {
    throw new ServerError('its answer is not JSON: this may not be a Chroma server', status, {cause: error})
  }
}

function noAnswer(error: unknown): unknown {
  const {cause, code, name} = error as {cause?: {code?: string}; code?: string; name?: string}
  if (name === 'AbortError' || name === 'TimeoutError') return error
  // What is too long for one text (512 MB) came whole, and would come again.
  if (code === TOO_LONG) return new ServerError('its answer is too long', undefined, {cause: error, code})
  return new ServerError(REASONS[cause?.code ?? ''] ?? cause?.code ?? 'the connection broke', undefined, {
    cause: error,
    code: cause?.code,
  })
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  ENOTFOUND: 'there is no such host',
  EHOSTUNREACH: 'there is no way to the host',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_SOCKET: 'it closed the connection',
}

async function failureOf(response: Response): Promise<ServerError> {
  const text = await response.text().catch(() => '')
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new ServerError(detailOf(text) ?? response.statusText, response.status, {
    ...(Number.isFinite(retryAfter) && {retryAfter}),
  })
}

/** Chroma's servers say `{"error", "message"}`, the Python ones in older releases `{"error": "Kind('message')"}` alone. */
function detailOf(text: string): string | undefined {
  try {
    const {error, message} = JSON.parse(text) as {error?: unknown; message?: unknown}
    const said = [message, error].find((value) => typeof value === 'string' && value !== '')
    return typeof said === 'string' ? shorten(said) : undefined
  } catch {
    return text === '' || text.includes('<') ? undefined : shorten(text)
  }
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim().replace(/\.$/, '')
  return line.length > DETAIL_LENGTH ? `${line.slice(0, DETAIL_LENGTH)}...` : line
}
