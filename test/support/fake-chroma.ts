import type {AddressInfo} from 'node:net'

import {once} from 'node:events'
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'

import {parseExactJson} from '../../core/src/records/exact-json.js'

export interface FakeRecord {
  document: null | string
  embedding: number[]
  metadata: null | Record<string, unknown>
  uri: null | string
}

export interface FakeCollection {
  body: Record<string, unknown>
  dimension: null | number
  id: string
  records: Map<string, FakeRecord>
}

/** What to do to a request instead of answering it; nothing answers it. */
export type Fault = (
  path: string,
  requests: number,
) => void | {body?: string; cut?: boolean; headers?: Record<string, string>; status?: number}

/** Answers every request. */
export const noFault: Fault = () => {}

/** Is busy for a moment at the requests of these numbers, from 1 on, of those whose path ends like this. */
export function busyAt(end: string, ...numbers: number[]): Fault {
  let met = 0
  return (path) => (path.endsWith(end) && numbers.includes(++met) ? {status: 503} : undefined)
}

type Columns = Record<'documents' | 'embeddings' | 'metadatas' | 'uris', unknown[] | null | undefined> & {
  ids: string[]
}

/**
 * A server on the loopback address that speaks as much of version 2 of Chroma's interface as chops uses, keeps what it
 * is sent as it came, and fails when it is told to.
 */
export class FakeChroma {
  /** Of every request. */
  readonly bodies: string[] = []
  readonly collections = new Map<string, FakeCollection>()
  fault: Fault = noFault
  maxBatch = 100
  /** Method and path of every request, with its headers. */
  readonly requests: {headers: IncomingMessage['headers']; text: string}[] = []
  token: string | undefined
  private readonly places = new Set(['default_tenant/default_database'])
  private readonly server: Server

  constructor() {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => response.destroy(error as Error))
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async start(): Promise<this> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    return this
  }

  stop(): void {
    this.server.close()
    this.server.closeAllConnections()
  }

  /** Requests whose path ends like this. */
  count(end: string): number {
    return this.requests.filter(({text}) => text.endsWith(end)).length
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    this.bodies.push(body)
    const path = new URL(request.url ?? '', this.url).pathname
    this.requests.push({headers: request.headers, text: `${request.method} ${path}`})
    const send = (status: number, data: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, {'content-type': 'application/json', ...headers})
      response.end(typeof data === 'string' ? data : exactJson(data))
    }

    const fault = this.fault(path, this.requests.length)
    if (fault?.cut) request.socket.destroy()
    else if (fault)
      send(fault.status ?? 500, fault.body ?? {error: 'Fault', message: 'as told'}, fault.headers)
    else if (this.token !== undefined && request.headers['x-chroma-token'] !== this.token) {
      send(401, {error: 'AuthError', message: `not ${String(request.headers['x-chroma-token'])}`})
    } else {
      const [status, data] = this.route(
        `${request.method} ${path}`,
        body === '' ? {} : (parseExactJson(body) as Record<string, unknown>),
      )
      send(status, data)
    }
  }

  private route(request: string, body: Record<string, unknown>): [number, unknown] {
    if (request === 'GET /api/v2/version') return [200, '"1.0.0"']
    if (request === 'GET /api/v2/pre-flight-checks') {
      return [200, {max_batch_size: this.maxBatch, supports_base64_encoding: true}]
    }

    const [, tenant = '', database = '', rest = ''] =
      /\/api\/v2\/tenants(?:\/([^/]+)\/databases(?:\/([^/]+)(.*))?)?$/.exec(request) ?? []
    if (request.startsWith('POST') && tenant === '') return [200, {}]
    if (database === '') {
      this.places.add(`${tenant}/${String(body.name)}`)
      return [200, {}]
    }

    if (!this.places.has(`${tenant}/${database}`)) return missing(database)
    if (rest === '') return [200, {id: 'x', name: database, tenant}]
    const [, key = '', action = ''] = /^\/collections\/?([^/]*)\/?(.*)$/.exec(rest) ?? []
    if (key === '') return this.create(`${tenant}/${database}`, body)
    const found = [...this.collections].find(
      ([place, {id}]) => place === `${tenant}/${database}/${decodeURIComponent(key)}` || id === key,
    )
    if (!found) return missing(key)
    return action === '' ? [200, describe(...found)] : act(found[1], action, body)
  }

  private create(place: string, body: Record<string, unknown>): [number, unknown] {
    const key = `${place}/${String(body.name)}`
    if (this.collections.has(key)) return [409, {error: 'UniqueError', message: 'already exists'}]
    const id = `00000000-0000-4000-8000-${String(this.collections.size).padStart(12, '0')}`
    const collection = {body, dimension: null, id, records: new Map<string, FakeRecord>()}
    this.collections.set(key, collection)
    return [200, describe(key, collection)]
  }
}

function missing(what: string): [number, unknown] {
  return [404, {error: 'NotFoundError', message: `${what} does not exist.`}]
}

function describe(key: string, {body, dimension, id}: FakeCollection): object {
  const [tenant, database, name] = key.split('/')
  return {
    configuration_json: body.configuration,
    database,
    dimension,
    id,
    metadata: body.metadata ?? null,
    name,
    tenant,
  }
}

function act(collection: FakeCollection, action: string, body: Record<string, unknown>): [number, unknown] {
  const {records} = collection
  if (action === 'count') return [200, String(records.size)]
  if (action === 'upsert') {
    const {documents, embeddings, ids, metadatas, uris} = body as unknown as Columns
    for (const [i, id] of ids.entries()) {
      records.set(id, {
        document: (documents?.[i] ?? null) as null | string,
        embedding: floats(embeddings?.[i]),
        metadata: (metadatas?.[i] ?? null) as FakeRecord['metadata'],
        uri: (uris?.[i] ?? null) as null | string,
      })
      collection.dimension = floats(embeddings?.[i]).length
    }

    return [200, {}]
  }

  const {ids, include} = body as {ids?: string[]; include: string[]}
  const from = Number(body.offset ?? 0)
  const found = (ids ?? [...records.keys()].slice(from, from + Number(body.limit))).filter((id) =>
    records.has(id),
  )
  const column = (name: string, field: keyof FakeRecord): unknown =>
    include.includes(name) ? found.map((id) => records.get(id)?.[field]) : null
  return [
    200,
    {
      ids: found,
      embeddings: column('embeddings', 'embedding'),
      documents: column('documents', 'document'),
      metadatas: column('metadatas', 'metadata'),
      uris: column('uris', 'uri'),
      include,
    },
  ]
}

/** As the servers write numbers: a float has a fraction, also when it is whole, and what JSON cannot say is null. */
function exactJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return 'null'
  if (typeof value === 'number') return Number.isInteger(value) ? value.toFixed(1) : String(value)
  if (Array.isArray(value)) return `[${value.map((item) => exactJson(item)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${exactJson(item)}`)
  return `{${fields.join(',')}}`
}

/** Servers that say so take an embedding as base64 of its bytes. */
function floats(embedding: unknown): number[] {
  return typeof embedding === 'string'
    ? [...new Float32Array(Uint8Array.from(Buffer.from(embedding, 'base64')).buffer)]
    : (embedding as number[])
}
