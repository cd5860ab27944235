import {FTS_TABLE} from '@chops/core/fts'
import {deletePlanned, planCleaning} from '@chops/core/log-cleaning'
import type {PersistDir} from '@chops/core/persist-dir'

import {hasTable} from '../check/context.js'
import {type Facts, hasAllSegments} from '../check/facts.js'
import type {RowRepairs} from './rows.js'

/** Y1, M1 to M5, Y4 and W4: what nothing refers to. */
export async function deleteLeftovers(
  dir: PersistDir,
  {ids, rebuildsFullText}: RowRepairs,
  facts: Facts,
): Promise<void> {
  const {db} = dir
  const isComplete = hasAllSegments(facts)
  if (ids.has('Y1') && isComplete) {
    await db.run(
      'DELETE FROM segments WHERE collection IS NULL OR collection NOT IN (SELECT id FROM collections)',
    )
    await db.run('DELETE FROM embeddings WHERE segment_id NOT IN (SELECT id FROM segments)')
  }

  if (ids.has('M1') && isComplete)
    await db.run(
      "DELETE FROM embeddings WHERE segment_id NOT IN (SELECT id FROM segments WHERE scope = 'METADATA')",
    )
  if (ids.has('M1') || ids.has('M2') || ids.has('Y1'))
    await db.run('DELETE FROM embedding_metadata WHERE id NOT IN (SELECT id FROM embeddings)')
  if (await hasTable(db, 'embedding_metadata_array'))
    await db.run('DELETE FROM embedding_metadata_array WHERE id NOT IN (SELECT id FROM embeddings)')
  if (!rebuildsFullText && (ids.has('M1') || ids.has('M2') || ids.has('M5') || ids.has('Y1')))
    await db.run(
      `DELETE FROM ${FTS_TABLE} WHERE rowid IN (SELECT id FROM ${FTS_TABLE}_content EXCEPT SELECT id FROM embeddings)`,
    )
  if (isComplete && (ids.has('Y4') || ids.has('Y1'))) {
    await db.run('DELETE FROM collection_metadata WHERE collection_id NOT IN (SELECT id FROM collections)')
    await db.run('DELETE FROM segment_metadata WHERE segment_id NOT IN (SELECT id FROM segments)')
    await db.run('DELETE FROM max_seq_id WHERE segment_id NOT IN (SELECT id FROM segments)')
  }

  if (!ids.has('W4')) return
  const catalog = {collections: facts.collections, segments: facts.segments}
  const plan = await planCleaning(dir, catalog, new Map(), [])
  await deletePlanned(
    dir,
    plan.filter(({orphan}) => orphan),
  )
}
