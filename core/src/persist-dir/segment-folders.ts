import {join} from 'node:path'

import {damaged} from '../errors.js'

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** Whether an id has the form that every Chroma gives its segments and collections. */
export function isUuid(id: string): boolean {
  return UUID.test(id)
}

/** The five files of a segment folder; any of them marks a folder as Chroma's. */
export const INDEX_FILES = [
  'header.bin',
  'data_level0.bin',
  'length.bin',
  'link_lists.bin',
  'index_metadata.pickle',
] as const

/** What a build or a restore that was killed leaves behind in its folder, besides index files. */
export const UNFINISHED_FILES = ['graph.tmp', 'index_metadata.pickle.tmp']

/**
 * The folder of a vector segment. Ids come from the database, which may come from someone else: only a UUID may become a path.
 *
 * @throws ChopsError `damaged` for any other id
 */
export function segmentFolder(persistDir: string, segmentId: string): string {
  if (!UUID.test(segmentId)) {
    throw damaged(
      `The database names a segment ${JSON.stringify(segmentId)}, which is not a UUID and cannot be a folder.`,
      {
        file: persistDir,
        next: 'Restore chroma.sqlite3 from a backup; Chroma itself only writes UUIDs.',
      },
    )
  }

  return join(persistDir, segmentId)
}
