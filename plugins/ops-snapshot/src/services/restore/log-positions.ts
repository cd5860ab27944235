import type {Snapshot} from '../format/open.js'

/** Where the collection's segments stand in the log of the directory that it is restored into. */
export interface LogPositions {
  /** The end of the log before: its rows go on from there. */
  base: number
  /** Absent when the segment has never applied a row. */
  metadata: number | undefined
  vector: number
}

/**
 * Translates how far a segment has applied the log. The log's rows get the numbers after the end of the directory's log,
 * without gaps; a segment that had applied k of them stands at the k-th. So it never stands beyond the end of the log,
 * which would make the engine ignore the next writes.
 *
 * @param seqId the newest row that the segment has applied, by the numbers of the snapshot
 * @param base the end of the directory's log
 */
export async function translateLogPosition({db}: Snapshot, seqId: number, base: number): Promise<number> {
  const row = await db.get<{count: number}>(
    'SELECT COUNT(*) AS count FROM embeddings_queue WHERE seq_id <= ?',
    [seqId],
  )
  return base + (row?.count ?? 0)
}
