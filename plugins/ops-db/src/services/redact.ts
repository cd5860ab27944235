import type {DatabaseInfo} from './database-info.js'

export const REDACTED = 'redacted'

/**
 * The same information without anything private: no path, no name of a collection, database or tenant, no metadata.
 * Ids stay: they are random, and without them collections could not be told apart.
 */
export function redact(info: DatabaseInfo): DatabaseInfo {
  return {
    ...info,
    collections: info.collections.map((collection) => ({
      ...collection,
      database: REDACTED,
      hnswSegment: collection.hnswSegment && {...collection.hnswSegment, path: REDACTED},
      metadata: null,
      name: REDACTED,
      tenant: REDACTED,
    })),
    orphanHnswDirectories: info.orphanHnswDirectories.map((orphan) => ({...orphan, path: REDACTED})),
    persistDirectory: REDACTED,
    systemDb: REDACTED,
  }
}
