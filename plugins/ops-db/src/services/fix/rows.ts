import {type PersistDir} from '@chops/core/persist-dir'
import {hnswParametersOf, keepsVectorSeqIdInTable} from '@chops/core/catalog'
import {writeMetadataParameters} from '@chops/core/change'
import {insertPlaceholder, OPERATION, readLogEnd, writePurgeMode} from '@chops/core/log'
import {INDEX_METADATA_FILE, inspectHeader, readIndexMetadata} from '@chops/core/hnsw'
import {exists, segmentFolder} from '@chops/core/persist-dir'
import {join} from 'node:path'

import type {CheckContext} from '../check/context.js'
import type {CollectionFacts, Facts} from '../check/facts.js'
import type {FindingId} from '../check/invariants.js'
import type {LedgerRow} from '../check/ledger.js'

import {readApplied} from '../check/applied.js'
import {Findings} from '../check/context.js'
import {readFacts} from '../check/facts.js'
import {readPending} from '../check/pending.js'
import {deleteLeftovers} from './leftovers.js'
import {clearUnreadableMetadata, moveUnusableRows} from './log-rows.js'
import {repairPositions} from './positions.js'

export interface RowRepairs {
  /** The name of a file for log rows that no engine can apply. */
  fileForUnusable: string
  /** Findings that are to be repaired. */
  ids: ReadonlySet<FindingId>
  ledger: readonly LedgerRow[]
  /** The full-text index is going to be made anew: its rows can be left as they are. */
  rebuildsFullText: boolean
  signal: AbortSignal | undefined
}

/**
 * Repairs rows, in the caller's transaction. Every repair looks again at what is there: between the check and this
 * moment nothing is taken for granted.
 *
 * @returns the file with the log rows that no engine can apply, where there were any
 */
export async function repairRows(dir: PersistDir, repairs: RowRepairs): Promise<string | undefined> {
  const {ids, signal} = repairs
  const facts = await readFacts(dir)
  const context = contextOf(dir, facts, signal)
  if (ids.has('S6')) await dir.db.run('INSERT OR IGNORE INTO acquire_write (id, lock_status) VALUES (1, 1)')
  if (ids.has('Y3')) await restorePlaces(dir)
  await repairPositions(context, ids)
  if (ids.has('W10')) await insertPositions(context)
  if (ids.has('Y6')) await setDimensions(context)
  if (ids.has('Y7')) await alignParameters(dir, facts)
  if (ids.has('W9')) await resetLogConfig(dir)
  const file = ids.has('W8') ? await repairLogRows(dir, repairs) : undefined
  if (ids.has('W3')) await extendLog(dir)
  await deleteLeftovers(dir, repairs, facts)
  if (ids.has('X1')) await deleteVectors(dir, repairs.ledger, facts)
  return file
}

async function repairLogRows(
  dir: PersistDir,
  {fileForUnusable, signal}: RowRepairs,
): Promise<string | undefined> {
  const context = contextOf(dir, await readFacts(dir), signal)
  const pending = await readPending(context, await readApplied(context), await readLogEnd(dir))
  await clearUnreadableMetadata(dir, pending)
  return moveUnusableRows(dir, pending, fileForUnusable)
}

function contextOf(dir: PersistDir, facts: Facts, signal?: AbortSignal): CheckContext {
  const {databaseFile, db, generation, path} = dir
  return {
    allIds: false,
    databaseFile,
    db,
    facts,
    findings: new Findings(),
    generation,
    measureReach: false,
    onStep() {},
    path,
    selected: facts.collections,
    signal,
  }
}

/** Y3: tenants and databases that rows refer to. */
async function restorePlaces({db}: PersistDir): Promise<void> {
  const lost = await db.all<{id: string}>(
    'SELECT DISTINCT database_id AS id FROM collections WHERE database_id NOT IN (SELECT id FROM databases)',
  )
  for (const {id} of lost) {
    const hasDefault = await db.get(
      "SELECT 1 FROM databases WHERE tenant_id = 'default_tenant' AND name = 'default_database'",
    )
    const name = hasDefault ? `recovered_${id.slice(0, 8)}` : 'default_database'
    await db.run("INSERT INTO databases (id, name, tenant_id) VALUES (?, ?, 'default_tenant')", [id, name])
  }

  await db.run(
    'INSERT INTO tenants (id) SELECT DISTINCT tenant_id FROM databases WHERE tenant_id NOT IN (SELECT id FROM tenants)',
  )
}

/** W10: as Chroma itself does from the release after 1.5.9 on. */
async function insertPositions({db, facts, generation, path}: CheckContext): Promise<void> {
  if (!keepsVectorSeqIdInTable(generation)) return
  for (const {vectorSegment} of facts.collections) {
    if (!vectorSegment || vectorSegment.maxSeqId !== undefined) continue
    const file = join(segmentFolder(path, vectorSegment.id), INDEX_METADATA_FILE)
    const found = (await exists(file)) ? await readIndexMetadata(file, {ids: false}) : undefined
    if (!found?.maxSeqId) continue
    await db.run('INSERT OR IGNORE INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)', [
      vectorSegment.id,
      found.maxSeqId,
    ])
  }
}

/** Y6: from the index, else from the first vector of the log. */
async function setDimensions({db, facts, path}: CheckContext): Promise<void> {
  for (const {dimension, id, topic, vectorSegment} of facts.collections) {
    if (dimension !== null) continue
    const header = vectorSegment && (await inspectHeader(segmentFolder(path, vectorSegment.id))).header
    const row = await db.get<{bytes: number}>(
      `SELECT length(vector) AS bytes FROM embeddings_queue
       WHERE topic = ? AND typeof(vector) = 'blob' AND length(vector) > 0 ORDER BY seq_id LIMIT 1`,
      [topic],
    )
    const found = header && header.curElementCount > 0 ? header.dimension : (row?.bytes ?? 0) / 4
    if (Number.isInteger(found) && found > 0)
      await db.run('UPDATE collections SET dimension = ? WHERE id = ?', [found, id])
  }
}

/** Y7: what an older engine left shall say what counts. */
async function alignParameters(dir: PersistDir, {collections}: Facts): Promise<void> {
  for (const collection of collections) {
    const {parameterSources, vectorSegment} = collection
    if (!vectorSegment || Object.keys(parameterSources.segmentMetadata).length === 0) continue
    await writeMetadataParameters(dir, vectorSegment.id, hnswParametersOf(dir, collection))
  }
}

async function resetLogConfig(dir: PersistDir): Promise<void> {
  await dir.db.run('DELETE FROM embeddings_queue_config')
  await writePurgeMode(dir, 'auto')
}

/** W3: puts a row back where the log once ended, so that new rows get numbers that no segment passes over. */
async function extendLog(dir: PersistDir): Promise<void> {
  const facts = await readFacts(dir)
  const applied = await readApplied(contextOf(dir, facts))
  const positions = facts.collections.map((collection) => ({
    position: Math.max(collection.metadataSegment?.maxSeqId ?? 0, applied.get(collection.id) ?? 0),
    topic: collection.topic,
  }))
  const furthest = positions.sort((a, b) => b.position - a.position)[0]
  const end = await dir.db.get<{end: null | number}>('SELECT MAX(seq_id) AS end FROM embeddings_queue')
  if (!furthest || furthest.position <= (end?.end ?? 0)) return
  await insertPlaceholder(dir, {seqId: furthest.position, topic: furthest.topic})
}

/** X1: lets the engine delete vectors that no record has, as it deletes any: by a row of the log. */
async function deleteVectors(
  dir: PersistDir,
  ledger: readonly LedgerRow[],
  {collections}: Facts,
): Promise<void> {
  for (const {id, withoutRecordIds} of ledger) {
    const owner = collections.find((collection: CollectionFacts) => collection.id === id)
    if (!owner?.metadataSegment) continue
    for (const vectorId of withoutRecordIds) {
      await dir.db.run(
        `INSERT INTO embeddings_queue (operation, topic, id) SELECT ?, ?, ?
         WHERE NOT EXISTS (SELECT 1 FROM embeddings WHERE segment_id = ? AND embedding_id = ?)`,
        [OPERATION.delete, owner.topic, vectorId, owner.metadataSegment.id, vectorId],
      )
    }
  }
}
