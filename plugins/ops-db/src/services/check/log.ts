import {type HnswParameters, keepsVectorSeqIdInTable} from '@chops/core/catalog'
import {readPurgeMode} from '@chops/core/log'
import {planCleaning} from '@chops/core/log-cleaning'
import {counted, formatBytes} from '@chops/core/output'

import type {PendingLog} from './pending.js'

import {asPersistDir, type CheckContext, damageText} from './context.js'
import {bigSeqIdOf, type CollectionFacts, LARGEST_SEQ_ID, type Position} from './facts.js'
import {byFix, commandLine} from './finding.js'
import {LARGE_LEFTOVER} from './leftovers.js'
import {decodeMigrated} from './migrated-seq-id.js'
import {parametersOf} from './parameters.js'
import {listText} from './list-text.js'

const SEQ_ID_BLOBS = [8, 24]

/**
 * So many rows may wait whatever a collection says. The older Python engines count only what the index gains towards its
 * sync_threshold, so that updates, deletions and ids that are added twice go beyond a low one; and one that was lowered
 * let more wait before.
 */
const LEAST_LIMIT = 1000

/** How far each VECTOR segment has applied the log, by collection id. */
export type Applied = ReadonlyMap<string, number>

/** W1 and W2: the values of `max_seq_id`. */
export function checkPositions({facts, findings, generation, path}: CheckContext): void {
  const isRust = generation.engine === 'rust'
  const isRight = ({text, type}: Position): boolean =>
    isRust ? type === 'integer' : type === 'blob' && SEQ_ID_BLOBS.includes(text.length / 2)
  const owned = new Set(facts.segments.map(({id}) => id))
  const wrong = facts.positions.filter((position) => !isRight(position) && owned.has(position.segmentId))
  if (wrong.length > 0) {
    const readable = wrong.every((position) => bigSeqIdOf(position) !== undefined)
    const types = [...new Set(wrong.map(({type}) => type.toUpperCase()))].join(' and ')
    const effect = isRust
      ? 'every call fails with "mismatched types"'
      : 'a newer Chroma would turn them into huge numbers and drop every write'
    findings.add(
      'W1',
      `${counted(wrong.length, 'log position')} of segments stored as ${types}, not as ${isRust ? 'INTEGER' : 'BLOB'}: ${effect}.`,
      readable ? byFix(path) : byFix(path, 'partly'),
    )
  }

  for (const position of facts.positions) {
    const value = bigSeqIdOf(position)
    if (value === undefined || value < LARGEST_SEQ_ID || !owned.has(position.segmentId)) continue
    const decoded = decodeMigrated(value)
    const isVector = facts.segments.some(({id, scope}) => id === position.segmentId && scope === 'VECTOR')
    const meaning =
      decoded === undefined
        ? 'no log reaches that'
        : `an upgrade made it of ${decoded}, which is still in its digits`
    findings.add(
      'W2',
      `The log position of segment ${position.segmentId} is ${value}: ${meaning}. Chroma drops every new record of its collection without a word.`,
      {
        collection: collectionOf(facts.collections, position.segmentId),
        ...byFix(path),
        // How far the records are can be told from them; how far the vectors are can not.
        ...(decoded === undefined && {
          ...byFix(path, 'partly'),
          ...(isVector && {command: null, repairable: 'no' as const}),
        }),
      },
    )
  }
}

function collectionOf(collections: CollectionFacts[], segmentId: string): CollectionFacts | undefined {
  return collections.find(
    ({metadataSegment, vectorSegment}) =>
      metadataSegment?.id === segmentId || vectorSegment?.id === segmentId,
  )
}

/** W3: log rows are numbered from the highest there is, and segments pass over rows up to their position. */
export function checkLogEnd({facts, findings, path}: CheckContext, logEnd: number, applied: Applied): void {
  const ahead = facts.collections.flatMap((collection) => {
    const positions = [collection.metadataSegment?.maxSeqId ?? 0, applied.get(collection.id) ?? 0]
    return Math.max(...positions) > logEnd ? [{collection, position: Math.max(...positions)}] : []
  })
  const furthest = ahead.sort((a, b) => b.position - a.position)[0]
  if (!furthest) return
  findings.add(
    'W3',
    `The log ends at row ${logEnd}, but ${counted(ahead.length, 'collection')} (first ${furthest.collection.name}) has applied it up to row ${furthest.position}: Chroma numbers new rows from ${logEnd + 1} on and passes over them without a word.`,
    {collection: furthest.collection, ...byFix(path)},
  )
}

/** W4 to W6: what the log holds, by topic. */
export async function checkTopics(context: CheckContext, applied: Applied): Promise<void> {
  const {db, facts, findings, path} = context
  const dir = asPersistDir(context)
  const catalog = {collections: facts.collections, segments: facts.segments}
  const plan = await planCleaning(dir, catalog, applied, [])
  const orphans = plan.filter(({orphan}) => orphan)
  if (orphans.length > 0) {
    const rows = orphans.reduce((sum, {topic}) => sum + topic.count, 0)
    const size = await bytesOfTopics(
      db,
      orphans.map(({topic}) => topic.topic),
    )
    findings.add(
      'W4',
      `${counted(rows, 'log row')} of ${counted(orphans.length, 'deleted collection')} (${formatBytes(size)}), which no Chroma ever purges.`,
      {command: commandLine('wal', 'clean', path), severity: size >= LARGE_LEFTOVER ? 'W' : 'I'},
    )
  }

  const foreign = plan.filter(({keepReasons}) => keepReasons.includes('foreign'))
  if (foreign.length > 0) {
    const names = listText(foreign.map(({topic}) => topic.topic))
    findings.add(
      'W4',
      `${counted(foreign.length, 'topic')} with another prefix than Chroma gives: ${names}.`,
      {severity: 'I'},
    )
  }

  for (const {deletable, orphan, topic} of plan) {
    const collection = facts.collections.find(({id}) => id === topic.collection?.id)
    if (orphan || !collection || !context.selected.includes(collection)) continue
    findings.count(
      'W5',
      deletable,
      (count) => `${counted(count, 'log row')} that both segments have applied.`,
      {collection, command: commandLine('wal', 'clean', path), severity: 'I'},
    )
    const waiting = topic.pendingInVector
    const parameters = parametersOf(context, collection)
    const limit = limitOf(parameters)
    findings.count('W6', waiting, (count) => waitingText(count, limit, parameters), {
      collection,
      command: commandLine('wal', 'commit', path),
      severity: waiting > limit ? 'W' : 'I',
    })
  }
}

/** With the batch that the index takes at once on top. */
function limitOf(parameters: HnswParameters | undefined): number {
  return parameters ? Math.max(LEAST_LIMIT, parameters.syncThreshold + parameters.batchSize) : LEAST_LIMIT
}

function waitingText(count: number, limit: number, parameters: HnswParameters | undefined): string {
  const rows = `${counted(count, 'log row')} wait for the index`
  if (count > limit)
    return `${rows}, more than Chroma lets wait (${limit}): it may not be writing the index at all.`
  if (!parameters) return `${rows}, as can be normal up to ${limit}.`
  return `${rows}, which Chroma writes about every ${parameters.syncThreshold} rows; up to ${limit} can be normal.`
}

/** W7: the vectors may be ahead only as long as the log still has what the records lack. */
export async function checkOrder(context: CheckContext, applied: Applied): Promise<void> {
  const {db, findings, generation, selected} = context
  for (const collection of selected) {
    const metadata = collection.metadataSegment?.maxSeqId ?? 0
    const vector = applied.get(collection.id) ?? 0
    // Up to 0.5.5 nothing is ever purged.
    if (vector <= metadata || !keepsVectorSeqIdInTable(generation)) continue
    const row = await db.get('SELECT 1 FROM embeddings_queue WHERE topic = ? AND seq_id = ?', [
      collection.topic,
      vector,
    ])
    if (row) continue
    findings.add(
      'W7',
      `Its vectors have applied the log up to row ${vector} and its records only up to ${metadata}, and the log no longer has the rows between: records may be missing.`,
      {collection},
    )
  }
}

/** W8, from the pass over the log. */
export function checkRows({findings, generation, path, selected}: CheckContext, pending: PendingLog): void {
  for (const collection of selected) {
    const unreadable = generation.engine === 'rust' ? pending.unreadable.get(collection.topic) : undefined
    if (unreadable) {
      findings.add(
        'W8',
        `${counted(unreadable.seqIds.length, 'log row')} that Chroma 1.x cannot read, so that every call fails: first row ${unreadable.seqIds[0]} ${unreadable.what}. The records have it already; only the index waits for the vectors.`,
        {collection, command: commandLine('wal', 'commit', path)},
      )
    }

    const unusable = pending.unusable.get(collection.topic)
    if (!unusable) continue
    findings.add(
      'W8',
      `${counted(unusable.seqIds.length, 'log row')} that no Chroma can apply: first row ${unusable.seqIds[0]} ${unusable.what}.`,
      {collection, ...byFix(path, 'partly')},
    )
  }
}

/** W9. */
export async function checkPurging(context: CheckContext): Promise<void> {
  const {db, findings, generation, path} = context
  if (generation.schema.embeddingsQueue < 2) return
  const rows = await db.all('SELECT 1 FROM embeddings_queue_config LIMIT 2')
  if (rows.length > 1) {
    findings.add('W9', 'embeddings_queue_config has several rows; Chroma expects one at most.', byFix(path))
    return
  }

  const mode = await readPurgeMode(asPersistDir(context)).catch((error: unknown) => {
    const message = damageText(error)
    if (message === undefined) throw error
    findings.add('W9', `${message} Chroma cannot open the directory.`, byFix(path))
    return 'unset'
  })
  if (mode === 'off') {
    findings.add('W9', 'Chroma does not purge the log by itself, so it grows with every write.', {
      command: commandLine('wal', 'config', path, '--purge', 'auto'),
      severity: 'I',
    })
  }
}

async function bytesOfTopics(db: CheckContext['db'], topics: string[]): Promise<number> {
  const row = await db.get<{bytes: null | number}>(
    `SELECT SUM(COALESCE(length(vector), 0) + COALESCE(length(metadata), 0)) AS bytes FROM embeddings_queue
     WHERE topic IN (SELECT value FROM json_each(?))`,
    [JSON.stringify(topics)],
  )
  return row?.bytes ?? 0
}
