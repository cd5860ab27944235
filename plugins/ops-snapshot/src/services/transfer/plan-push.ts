import {type Collection, hnswParametersOf, type Space} from '@chops/core/catalog'
import {usage} from '@chops/core/errors'
import type {PersistDir} from '@chops/core/persist-dir'
import {RecordReader} from '@chops/core/records'

import type {Endpoint} from './endpoint.js'

import {spaceOf} from './carried.js'
import {ChromaServer, type RemoteCollection} from './chroma-server.js'
import {retrying} from './retry.js'
import {speaking} from './server-error.js'

/** Where a copy goes; a name or place that is absent is that of the collection. */
export interface TransferTarget {
  as?: string | undefined
  database?: string | undefined
  tenant?: string | undefined
}

export interface PushPlan {
  collection: string
  collectionId: string
  database: string
  dimension: null | number
  /** Records whose vector is lost: neither in the index nor in the log. They cannot be pushed. */
  lost: string[]
  persistDirectory: string
  records: number
  space: Space
  target: {
    /** The server has no such tenant or database yet. */
    createsPlace: boolean
    database: string
    name: string
    /** Records that the collection has there; null when it does not exist yet. */
    records: null | number
    serverVersion: string
    tenant: string
    url: string
  }
  tenant: string
}

/**
 * Finds out what a push would do, on both sides, and changes neither.
 *
 * @throws ChopsError `usage` when the target cannot take the collection
 */
export async function planPush(
  dir: PersistDir,
  collection: Collection,
  endpoint: Endpoint,
  options: {patience: number; resume: boolean; signal: AbortSignal; target: TransferTarget},
): Promise<PushPlan> {
  const {patience, resume, signal, target} = options
  const place = {database: target.database ?? collection.database, tenant: target.tenant ?? collection.tenant}
  const name = target.as ?? collection.name
  const {space} = hnswParametersOf(dir, collection)
  const look = async () => {
    const server = await ChromaServer.connect(endpoint, place, signal)
    const hasPlace = await server.hasPlace()
    const found = hasPlace ? await server.describe(name) : undefined
    return {found, hasPlace, records: found ? await server.count(found) : null, version: server.version}
  }

  const remote = await speaking(endpoint, 'meeting it', () =>
    retrying(look, {isFirst: true, patience, signal}),
  )
  if (remote.found) {
    const where = `${place.tenant}/${place.database}/${name} at ${endpoint.baseUrl}`
    requireFitting(collection, space, remote.found, where)
    if (!resume) throw alreadyThere(where, remote.records ?? 0)
  }

  const reader = await RecordReader.open(dir, collection, {signal})
  try {
    const lost: string[] = []
    let records = 0
    for await (const ids of reader.ids({signal})) {
      records += ids.length
      lost.push(...ids.filter((id) => !reader.hasVector(id)))
    }

    return {
      collection: collection.name,
      collectionId: collection.id,
      database: collection.database,
      dimension: collection.dimension,
      lost,
      persistDirectory: dir.path,
      records,
      space,
      target: {
        createsPlace: !remote.hasPlace,
        ...place,
        name,
        records: remote.records,
        serverVersion: remote.version,
        url: endpoint.baseUrl,
      },
      tenant: collection.tenant,
    }
  } finally {
    reader.close()
  }
}

/** What a target must have in common with the collection, so that its records can be there. */
export function requireFitting(
  {dimension, name}: Pick<Collection, 'dimension' | 'name'>,
  space: Space,
  remote: RemoteCollection,
  where: string,
): void {
  const next = 'Push it under another name with --as, or delete the collection on the server.'
  if (dimension !== null && remote.dimension !== null && remote.dimension !== dimension) {
    throw usage(
      `Collection ${name} has embeddings of ${dimension} dimensions, and ${where} of ${remote.dimension}.`,
      {next},
    )
  }

  const remoteSpace = spaceOf(remote)
  if (remoteSpace !== space) {
    throw usage(`Collection ${name} has the space ${space}, and ${where} the space ${remoteSpace}.`, {next})
  }
}

function alreadyThere(where: string, records: number): Error {
  return usage(`The collection ${where} exists already and has ${records} records.`, {
    next: 'Go on with a push that was interrupted with --resume, or push under another name with --as.',
  })
}
