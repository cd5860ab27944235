import {requireFreeSpace, requireRoomForVacuum, vacuum, withWriteAccess} from '@chops/core/change'
import {ChopsError} from '@chops/core/errors'
import {
  CHROMA_TOKENIZER,
  countDocuments,
  ftsRebuildBytes,
  type FtsStep,
  readFtsDefinition,
  rebuildFts,
  requireTokenizer,
} from '@chops/core/fts'
import {generationText, type PersistDir} from '@chops/core/persist-dir'

export interface FtsRebuildResult {
  chromaVersion: string
  /** Records with a document: the rows of the new index. */
  documents: number
  /** UTF-8 bytes of the documents. */
  documentBytes: number
  /** Shadow tables that the old index lacks. */
  missingTables: string[]
  persistDirectory: string
  status: 'cancelled' | 'done' | 'dry-run'
  tokenizer: string
  /** Of the old index; null where there is none. */
  tokenizerBefore: null | string
}

/** What only the command tells, on stderr. */
export interface FtsRebuildReport {
  result: FtsRebuildResult
  warnings: string[]
}

export interface RebuildOptions {
  force?: boolean
  onStep?: (step: FtsStep, done: number, total: number) => void
  signal?: AbortSignal
}

/**
 * Says what is going to be built.
 *
 * @throws ChopsError `usage` for a tokenizer that SQLite does not have
 */
export async function planFtsRebuild(dir: PersistDir, tokenizer: string): Promise<FtsRebuildResult> {
  await requireTokenizer(dir.db, tokenizer)
  const {missing, sql, tokenizer: before} = await readFtsDefinition(dir.db)
  const count = await countDocuments(dir.db)
  return {
    chromaVersion: generationText(dir.generation),
    documentBytes: count.bytes,
    documents: count.documents,
    missingTables: sql === undefined ? [] : missing,
    persistDirectory: dir.path,
    status: 'dry-run',
    tokenizer,
    tokenizerBefore: before ?? null,
  }
}

/** @throws ChopsError `damaged` when the disk has no room for the new index, or for what it overwrites of the old one */
export async function requireRoomForFts({documentBytes, persistDirectory}: FtsRebuildResult): Promise<void> {
  await requireFreeSpace(persistDirectory, ftsRebuildBytes(documentBytes), 'the full-text index')
}

/** Rebuilds the index; pages of an old one that was damaged go back to the file system, if there is room to do that. */
export async function rebuildFullText(
  plan: FtsRebuildResult,
  {force, onStep, signal}: RebuildOptions = {},
): Promise<FtsRebuildReport> {
  return withWriteAccess(plan.persistDirectory, {force}, async (dir) => {
    const {tokenizer} = plan
    const {engine} = dir.generation
    const {documents, lostPages} = await rebuildFts(dir.db, {engine, onStep, signal, tokenizer})
    const result: FtsRebuildResult = {...plan, documents, status: 'done'}
    return {result, warnings: lostPages > 0 ? await giveBack(dir, lostPages) : []}
  })
}

/** What a person should know who takes another tokenizer than Chroma. */
export function tokenizerNote({tokenizer}: FtsRebuildResult): string | undefined {
  if (tokenizer === CHROMA_TOKENIZER) return undefined
  return (
    `Chroma expects the tokenizer ${CHROMA_TOKENIZER}: with another one $contains cannot use the index as it should. ` +
    `"chops fts rebuild" without --tokenizer brings it back.`
  )
}

async function giveBack(dir: PersistDir, lostPages: number): Promise<string[]> {
  try {
    await requireRoomForVacuum(dir)
    await vacuum(dir)
    return []
  } catch (error) {
    if (!(error instanceof ChopsError)) throw error
    return [
      `The new index is in force, but ${lostPages} pages of the damaged one could not be given back: ` +
        `${error.message} "chops db vacuum" does it.`,
    ]
  }
}
