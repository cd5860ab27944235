import {usage} from '@chops/core/errors'

/** How to reach a server, with everything that has to stay secret named. */
export interface Endpoint {
  /** Without user name, password and a slash at its end; safe to show. */
  baseUrl: string
  headers: Record<string, string>
  /** Texts that must not get into output, errors or files. */
  secrets: string[]
}

export interface EndpointOptions {
  /** `Name: value` or `Name=value` each. */
  headers?: readonly string[] | undefined
  token?: string | undefined
  url: string
}

/** The name of an HTTP header (RFC 9110, token), then `:` or `=`, then its value. */
const HEADER = /^([\w!#$%&'*+.^`|~-]+)\s*[:=]\s*(.+)$/

/** What no value of a header can hold. */
const UNSENDABLE = /[^\t\u0020-\u007E\u0080-\u00FF]/

/**
 * Understands what the user said about a server. A token goes where Chroma's servers look for one: in `x-chroma-token`
 * and as a bearer; a user name and a password in the URL go into the header of basic authentication. A header that is
 * given wins over all of them.
 *
 * @throws ChopsError `usage` for what is no URL of HTTP and no header; the message shows no secret
 */
export function parseEndpoint({headers = [], token, url}: EndpointOptions): Endpoint {
  const parsed = parseUrl(url)
  const own: Record<string, string> = {}
  const secrets: string[] = []
  if (parsed.username !== '') {
    const [user, password] = [decoded(parsed.username), decoded(parsed.password)]
    own.authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    secrets.push(password, parsed.password)
  }

  if (token !== undefined && token !== '') {
    if (UNSENDABLE.test(token.trim())) {
      throw usage('The token holds a character that HTTP cannot send.', {
        next: 'Give it without line breaks and control characters, in the environment variable CHROMA_TOKEN.',
      })
    }

    own['x-chroma-token'] = token
    own.authorization = `Bearer ${token}`
    secrets.push(token)
  }

  for (const header of headers) {
    const [, name = '', value = ''] = HEADER.exec(header) ?? []
    if (name === '' || UNSENDABLE.test(value)) {
      throw usage('A --header is not of the form "Name: value".', {
        next: "Give it as --header 'X-Name: value', without control characters.",
      })
    }

    own[name.toLowerCase()] = value
    secrets.push(value)
  }

  for (const value of Object.values(own)) secrets.push(value)
  parsed.username = ''
  parsed.password = ''
  return {
    baseUrl: parsed.href.replace(/\/+$/, ''),
    headers: own,
    secrets: [...new Set(secrets)].filter((secret) => secret !== ''),
  }
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const isHttp = parsed?.protocol === 'http:' || parsed?.protocol === 'https:'
  if (parsed && isHttp && parsed.search === '' && parsed.hash === '') return parsed
  throw usage('The --url is not the address of a server.', {
    next: 'Give it as http://HOST:PORT or https://HOST, as in http://localhost:8000.',
  })
}

/** A percent sign that begins no escape stands for itself: a password is often written into the URL as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
