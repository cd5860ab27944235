import type {Collection} from '@chops/core/catalog'
import type {PersistDir, SchemaVersions} from '@chops/core/persist-dir'

import {countRecordsOf} from '@chops/core/record-counts'

import {type Compression, COMPRESSIONS} from './compression.js'
import {FORMAT_VERSION, FORMAT_VERSIONS} from './tables.js'

/** What `snapshot_info` says about a snapshot, its keys being those of `infoRows`. */
export interface SnapshotInfo {
  compression: Compression
  /** ISO 8601, in UTC; null where the file does not say. */
  createdAt: null | string
  /** 0 for a snapshot of the Python tool. */
  formatVersion: number
  /** Records as Chroma counted them; without the pending log in a snapshot of the Python tool. */
  records: number
  schema: SchemaVersions
}

export async function infoRows(
  dir: PersistDir,
  collection: Collection,
  compression: Compression,
): Promise<[key: string, value: string][]> {
  const {releases, schema} = dir.generation
  return [
    ['format_version', String(FORMAT_VERSION)],
    ['created_at', new Date().toISOString()],
    ['chroma_releases', releases],
    ['schema_sysdb', String(schema.sysdb)],
    ['schema_metadb', String(schema.metadb)],
    ['schema_embeddings_queue', String(schema.embeddingsQueue)],
    ['compression', compression],
    ['records', String(await countRecordsOf(dir, collection))],
  ]
}

/** @returns why the rows are not those of a snapshot that this chops reads, or what they say */
export function parseInfo(rows: readonly {key: string; value: string}[]): SnapshotInfo | string {
  const values = new Map(rows.map(({key, value}) => [key, value]))
  const version = values.get('format_version')
  const formatVersion = FORMAT_VERSIONS.find((known) => version === String(known))
  if (formatVersion === undefined)
    return `has the format version ${version}, and this chops reads ${FORMAT_VERSIONS.join(' and ')}`
  const number = (key: string): number => {
    const value = values.get(key) ?? ''
    return /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
  }

  const compression = COMPRESSIONS.find((name) => name === values.get('compression'))
  const createdAt = values.get('created_at')
  const records = number('records')
  const schema = {
    embeddingsQueue: number('schema_embeddings_queue'),
    metadb: number('schema_metadb'),
    sysdb: number('schema_sysdb'),
  }
  const isDated = typeof createdAt === 'string'
  const isComplete = [records, ...Object.values(schema)].every((value) => Number.isSafeInteger(value))
  return compression !== undefined && isDated && isComplete
    ? {compression, createdAt, formatVersion, records, schema}
    : 'lacks a part of its description (snapshot_info)'
}
