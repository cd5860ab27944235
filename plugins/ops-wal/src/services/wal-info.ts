import {readCatalog} from '@chops/core/catalog'
import {readAppliedSeqIds} from '@chops/core/hnsw'
import {type PurgeMode, readPurgeMode, readTopics} from '@chops/core/log'
import {generationText, type PersistDir} from '@chops/core/persist-dir'

export interface TopicInfo {
  /** Absent for a topic that a deleted collection left behind. */
  collection: null | string
  collectionId: null | string
  /** Rows that both segments have applied. */
  committed: number
  count: number
  database: null | string
  firstSeqId: number
  lastSeqId: number
  orphan: boolean
  /** Rows that the HNSW index has not applied yet. */
  pending: number
  /** Rows that the metadata segment has not applied yet. */
  pendingInMetadata: number
  tenant: null | string
  topic: string
}

export interface WalInfo {
  chromaVersion: string
  persistDirectory: string
  purgeMode: PurgeMode
  topics: TopicInfo[]
}

/** Describes the log of a directory, topic by topic, over all tenants and databases. */
export async function describeWal(dir: PersistDir): Promise<WalInfo> {
  const purgeMode = await readPurgeMode(dir)
  const catalog = await readCatalog(dir)
  const applied = await readAppliedSeqIds(dir, catalog.collections)
  const topics = await readTopics(dir, catalog, applied)
  return {
    chromaVersion: generationText(dir.generation),
    persistDirectory: dir.path,
    purgeMode,
    topics: topics.map(({collection, pendingInVector, ...topic}) => ({
      ...topic,
      collection: collection?.name ?? null,
      collectionId: collection?.id ?? null,
      database: collection?.database ?? null,
      orphan: collection === undefined,
      pending: pendingInVector,
      tenant: collection?.tenant ?? null,
    })),
  }
}
