import type {ChromaRecord, RecordMetadata} from '@chops/core/records'
import type {ChromaClient, Collection as ClientCollection, Metadata as ClientMetadata} from 'chromadb'

import {damaged, notFound} from '@chops/core/errors'
import {isMetadataValue} from '@chops/core/records'

import type {Endpoint} from './endpoint.js'

import {exactFetch} from './exact-fetch.js'
import {ServerError} from './server-error.js'
import {serializeBody, toWire, WIRE_NULL} from './wire.js'

/** A collection as a server describes it. */
export interface RemoteCollection {
  /** As the server keeps it: `configuration_json`. */
  configuration: Record<string, unknown>
  dimension: null | number
  id: string
  metadata: null | RecordMetadata
  name: string
}

export interface NewCollection {
  configuration: Record<string, unknown>
  metadata: null | RecordMetadata
  name: string
}

export interface Place {
  database: string
  tenant: string
}

/** The layer of the client that sends requests; it has no type of its own, see `connect`. */
interface ApiClient {
  get(request: ApiRequest): Promise<{data: unknown}>
  post(request: ApiRequest): Promise<{data: unknown}>
  setConfig(config: object): unknown
}

interface ApiRequest {
  body?: object
  path?: Record<string, string>
  url: string
}

/** Where the servers without limits of their own get theirs from: what SQLite binds at once, divided by columns. */
const DEFAULT_BATCH = 5000
const IDS_PAGE = 10_000
const DATABASE_PATH = '/api/v2/tenants/{tenant}/databases/{database}'

/** A running Chroma server, through the official client. Methods throw `ServerError` when a request fails. */
export class ChromaServer {
  private constructor(
    private readonly client: ChromaClient,
    private readonly api: ApiClient,
    readonly place: Place,
    /** What the server says about itself. From 1.0 on every release says `1.0.0`. */
    readonly version: string,
    /** The most records that it takes in one request. */
    readonly maxBatch: number,
  ) {}

  /**
   * Meets a server: its version and its limits.
   *
   * The client gives every request its way, but it takes all numbers for the same and drops the status of a failure;
   * so its `fetch` and its serializer are replaced, through a field that its types call private (version 3.5.0 exactly).
   */
  static async connect(endpoint: Endpoint, place: Place, signal: AbortSignal): Promise<ChromaServer> {
    const {ChromaClient} = await import('chromadb')
    const {hostname, port, protocol} = new URL(endpoint.baseUrl)
    const client = new ChromaClient({
      headers: endpoint.headers,
      host: hostname,
      port: Number(port),
      ssl: protocol === 'https:',
      ...place,
    })
    const api = Reflect.get(client, 'apiClient') as ApiClient
    api.setConfig({
      baseUrl: endpoint.baseUrl,
      bodySerializer: serializeBody,
      fetch: exactFetch,
      // Followed, a redirection would take the token along to wherever it leads.
      redirect: 'manual',
      signal,
    })
    const version = await versionOf(client, endpoint.baseUrl)
    const limits = await client.getPreflightChecks()
    return new ChromaServer(client, api, place, version, Number(limits.max_batch_size ?? DEFAULT_BATCH))
  }

  /** Up to 0.6 the parameters of an index are metadata, and a server knows no other configuration. */
  get isPython(): boolean {
    return this.version.startsWith('0.')
  }

  /** The collection of this name in the server's place; undefined when there is none. */
  async describe(name: string): Promise<RemoteCollection | undefined> {
    try {
      const {data} = await this.api.get({
        path: {...this.place, name},
        url: `${DATABASE_PATH}/collections/{name}`,
      })
      return remoteCollection(data)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Makes a collection, which must not exist yet, without any embedding function of the client's. */
  async create({configuration, metadata, name}: NewCollection): Promise<RemoteCollection> {
    const {data} = await this.api.post({
      body: {configuration, get_or_create: false, metadata: metadata && toWire(metadata), name},
      path: {...this.place},
      url: `${DATABASE_PATH}/collections`,
    })
    return remoteCollection(data)
  }

  /** Whether the tenant and the database exist. */
  async hasPlace(): Promise<boolean> {
    try {
      await this.api.get({path: {...this.place}, url: DATABASE_PATH})
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  /** Makes the tenant and the database where they are missing. */
  async createPlace(): Promise<void> {
    const {database, tenant} = this.place
    const unlessThere = async (request: ApiRequest): Promise<void> => {
      await this.api.post(request).catch((error: unknown) => {
        if (!isConflict(error)) throw error
      })
    }

    await unlessThere({body: {name: tenant}, url: '/api/v2/tenants'})
    await unlessThere({body: {name: database}, path: {tenant}, url: '/api/v2/tenants/{tenant}/databases'})
  }

  async count({id}: RemoteCollection): Promise<number> {
    return Number(await this.records(id).count())
  }

  /**
   * All ids of a collection.
   *
   * @param asking makes the request for a page, and may repeat it
   * @yields the ids of one page, never none
   */
  async *ids(
    {id}: RemoteCollection,
    asking: <T>(request: () => Promise<T>) => Promise<T>,
  ): AsyncGenerator<string[]> {
    for (let offset = 0; ; offset += IDS_PAGE) {
      const {ids} = await asking(() => this.records(id).get({include: [], limit: IDS_PAGE, offset}))
      if (ids.length > 0) yield ids
      if (ids.length < IDS_PAGE) return
    }
  }

  /** The records of these ids; those that do not exist are left out. */
  async get({id}: RemoteCollection, ids: string[]): Promise<ChromaRecord[]> {
    const got = await this.records(id).get({
      ids,
      include: ['documents', 'embeddings', 'metadatas', 'uris'],
      limit: ids.length,
    })
    return got.ids.map((recordId, i) => ({
      document: got.documents[i] ?? null,
      embedding: embeddingOf(got.embeddings[i]),
      id: recordId,
      metadata: metadataOf(got.metadatas[i], recordId),
      uri: got.uris[i] ?? null,
    }))
  }

  /** Writes records, which all have an embedding; written twice, they are the same. */
  async upsert({id}: RemoteCollection, records: readonly ChromaRecord[]): Promise<void> {
    const some = <T>(values: (null | T)[]): T[] | undefined =>
      values.some((value) => value !== null) ? (values as T[]) : undefined
    const texts = (values: (null | string)[]): string[] | undefined =>
      some(values)?.map((value: null | string) => value ?? WIRE_NULL)
    const documents = texts(records.map(({document}) => document))
    const metadatas = some(records.map(({metadata}) => metadata && (toWire(metadata) as ClientMetadata)))
    const uris = texts(records.map(({uri}) => uri))
    await this.records(id).upsert({
      embeddings: records.map(({embedding}) => [...(embedding ?? [])]),
      ids: records.map((record) => record.id),
      ...(documents && {documents}),
      ...(metadatas && {metadatas}),
      ...(uris && {uris}),
    })
  }

  private records(id: string): ClientCollection {
    return this.client.collection(id)
  }
}

async function versionOf(client: ChromaClient, server: string): Promise<string> {
  try {
    return String(await client.version())
  } catch (error) {
    if (!(error instanceof ServerError) || error.status !== 404) throw error
    throw notFound(`The server at ${server} does not speak version 2 of Chroma's interface.`, {
      cause: error,
      next: 'chops reaches servers of Chroma 0.6 and later; check that the address is that of a Chroma server.',
    })
  }
}

/** Servers up to 0.6 answer 400 where later ones answer 404. */
function isMissing(error: unknown): boolean {
  if (!(error instanceof ServerError)) return false
  return error.status === 404 || (error.status === 400 && /does not exist|not found/i.test(error.detail))
}

function isConflict(error: unknown): boolean {
  return error instanceof ServerError && (error.status === 409 || /already exists/i.test(error.detail))
}

function remoteCollection(data: unknown): RemoteCollection {
  const {configuration_json: configuration, dimension, id, metadata, name} = data as Record<string, unknown>
  if (typeof id !== 'string' || typeof name !== 'string') {
    throw new ServerError('its answer does not describe a collection: this may not be a Chroma server', 200)
  }

  return {
    configuration: (configuration ?? {}) as Record<string, unknown>,
    dimension: dimension === null || dimension === undefined ? null : Number(dimension),
    id,
    metadata: metadataOf(metadata, name),
    name,
  }
}

/** JSON has `null` for what is no number, as engines before 1.5 let into a collection. */
function embeddingOf(values: (null | number)[] | null | undefined): Float32Array | undefined {
  return values
    ? Float32Array.from(values, (value) => (value === null ? Number.NaN : Number(value)))
    : undefined
}

function metadataOf(metadata: unknown, owner: string): null | RecordMetadata {
  if (metadata === null || metadata === undefined) return null
  const values = Object.entries(metadata as object).filter(([, value]) => value !== null)
  const foreign = values.find(([, value]) => !isMetadataValue(value))
  if (foreign) {
    throw damaged(
      `The metadata ${JSON.stringify(foreign[0])} of ${JSON.stringify(owner)} is of a kind that a local Chroma does not have.`,
      {next: 'Sparse vectors cannot be moved; take the key away on the server.'},
    )
  }

  return values.length === 0 ? null : (Object.fromEntries(values) as RecordMetadata)
}
