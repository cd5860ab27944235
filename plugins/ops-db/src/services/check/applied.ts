import {keepsVectorSeqIdInTable} from '@chops/core/catalog'
import {INDEX_METADATA_FILE, readIndexMetadata} from '@chops/core/hnsw'
import {exists, segmentFolder} from '@chops/core/persist-dir'
import {join} from 'node:path'

import {type CheckContext, damageText} from './context.js'

/**
 * How far each VECTOR segment has applied the log, by collection id: from the table, or from the index metadata where
 * the table does not say (always up to 0.5.5). An index whose metadata cannot be read is left out; its own check says so.
 */
export async function readApplied(context: CheckContext): Promise<Map<string, number>> {
  const applied = new Map<string, number>()
  for (const collection of context.facts.collections) {
    const segment = collection.vectorSegment
    if (!segment) continue
    if (segment.maxSeqId !== undefined) {
      applied.set(collection.id, segment.maxSeqId)
      continue
    }

    try {
      const file = join(segmentFolder(context.path, segment.id), INDEX_METADATA_FILE)
      if (!(await exists(file))) continue
      const {maxSeqId} = await readIndexMetadata(file, {ids: false, signal: context.signal})
      if (maxSeqId) applied.set(collection.id, maxSeqId)
    } catch (error) {
      if (damageText(error) === undefined) throw error
    }
  }

  return applied
}

/** Whether only the index metadata says how far an index is, although a Rust engine looks in the table (W10). */
export function misses(
  context: CheckContext,
  maxSeqIdInFile: null | number | undefined,
  inTable: boolean,
): boolean {
  return (
    context.generation.engine === 'rust' &&
    keepsVectorSeqIdInTable(context.generation) &&
    !inTable &&
    (maxSeqIdInFile ?? 0) > 0
  )
}
