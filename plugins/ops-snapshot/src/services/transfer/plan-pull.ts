import {fullName, readCatalog, type Space} from '@chops/core/catalog'
import {notFound, usage} from '@chops/core/errors'
import type {PersistDir} from '@chops/core/persist-dir'

import {spaceOf} from './carried.js'
import {ChromaServer, type Place} from './chroma-server.js'
import type {Endpoint} from './endpoint.js'
import type {TransferTarget} from './plan-push.js'
import {retrying} from './retry.js'
import {speaking} from './server-error.js'

export interface PullPlan {
  collection: string
  collectionId: string
  database: string
  dimension: null | number
  persistDirectory: string
  records: number
  serverVersion: string
  space: Space
  target: {
    database: string
    name: string
    tenant: string
  }
  tenant: string
  url: string
}

/**
 * Finds out what a pull would do and changes nothing.
 *
 * @throws ChopsError `not-found` when the server has no such collection, `usage` when the directory has one of the name
 */
export async function planPull(
  dir: PersistDir,
  endpoint: Endpoint,
  source: Place & {name: string},
  {patience, signal, target}: {patience: number; signal: AbortSignal; target: TransferTarget},
): Promise<PullPlan> {
  const {database, name, tenant} = source
  const place = {
    database: target.database ?? database,
    name: target.as ?? name,
    tenant: target.tenant ?? tenant,
  }
  await requireFree(dir, place)
  const look = async (): Promise<PullPlan> => {
    const server = await ChromaServer.connect(endpoint, {database, tenant}, signal)
    const remote = await server.describe(name)
    if (!remote) {
      throw notFound(`The server at ${endpoint.baseUrl} has no collection ${tenant}/${database}/${name}.`, {
        next: 'Choose another with --collection, --database and --tenant.',
      })
    }

    return {
      collection: name,
      collectionId: remote.id,
      database,
      dimension: remote.dimension,
      persistDirectory: dir.path,
      records: await server.count(remote),
      serverVersion: server.version,
      space: spaceOf(remote),
      target: place,
      tenant,
      url: endpoint.baseUrl,
    }
  }

  return speaking(endpoint, 'meeting it', () => retrying(look, {isFirst: true, patience, signal}))
}

async function requireFree(dir: PersistDir, place: Place & {name: string}): Promise<void> {
  const {collections} = await readCatalog(dir)
  const found = collections.find((collection) => fullName(collection) === fullName(place))
  if (!found) return
  throw usage(`There is a collection ${fullName(found)} already (id ${found.id}).`, {
    next: 'Give the copy another name with --as, or another place with --to-database and --to-tenant.',
  })
}
