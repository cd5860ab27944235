import {encodeSeqId} from '@chops/core/catalog'

import type {CheckContext} from '../check/context.js'
import type {FindingId} from '../check/invariants.js'

import {bigSeqIdOf, LARGEST_SEQ_ID, type Position} from '../check/facts.js'
import {decodeMigrated} from '../check/migrated-seq-id.js'

/**
 * W1 and W2: writes the log positions of segments as the engine of this directory reads them. A value that cannot be
 * decoded is replaced for the records only, by the newest position that one of them has; what follows in the log is
 * applied again, which changes nothing.
 */
export async function repairPositions(context: CheckContext, ids: ReadonlySet<FindingId>): Promise<void> {
  if (!ids.has('W1') && !ids.has('W2')) return
  const {db, facts, generation} = context
  const scopes = new Map(facts.segments.map(({id, scope}) => [id, scope]))
  for (const position of facts.positions) {
    const scope = scopes.get(position.segmentId)
    if (scope === undefined) continue
    const seqId =
      exactly(position) ?? (scope === 'METADATA' ? await newestRecord(context, position) : undefined)
    if (seqId === undefined) continue
    await db.run('UPDATE max_seq_id SET seq_id = ? WHERE segment_id = ?', [
      encodeSeqId(generation, seqId),
      position.segmentId,
    ])
  }
}

function exactly(position: Position): number | undefined {
  const value = bigSeqIdOf(position)
  if (value === undefined) return undefined
  return value < LARGEST_SEQ_ID ? Number(value) : decodeMigrated(value)
}

async function newestRecord({db}: CheckContext, {segmentId}: Position): Promise<number> {
  const rows = await db.all<Omit<Position, 'segmentId'>>(
    `SELECT typeof(seq_id) AS type, CASE typeof(seq_id) WHEN 'blob' THEN hex(MAX(seq_id)) ELSE CAST(MAX(seq_id) AS TEXT) END AS text
     FROM embeddings WHERE segment_id = ? GROUP BY typeof(seq_id)`,
    [segmentId],
  )
  const values = rows.map((row) => exactly({...row, segmentId})).filter((value) => value !== undefined)
  return Math.max(0, ...values)
}
