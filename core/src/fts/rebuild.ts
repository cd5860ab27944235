import type {Generation} from '../persist-dir/generation.js'
import {type Database, transaction} from '../sqlite/database.js'
import {CHROMA_TOKENIZER, FTS_TABLE, tokenizeClause} from './definition.js'
import {dropFts, hasDamagedTrees} from './drop.js'
import {fillFts} from './fill.js'
import {endsTextsAtNul, hasNul, type IdRange, storeWholeTexts, textUpToNul} from './nul.js'
import {requireTokenizer} from './tokenizer.js'

/** What Chroma keeps under this key is a record's document. */
const DOCUMENTS = "embedding_metadata WHERE key = 'chroma:document' AND string_value IS NOT NULL"

/** The same, without the index of values, which would bring them in the order of the texts. */
const DOCUMENTS_BY_ID = DOCUMENTS.replace('key =', '+key =')

/** So many documents enter the index at once, and make one sorted part of it: more fall out of the processor's cache. */
const BATCH = 1000

/** Of more parts than this the merging would come in several rounds. */
const MOST_PARTS = 500

/** An index with trigrams takes some four times its text, and keeps the text as well. */
const INDEX_PER_TEXT = 5

export type FtsStep = 'drop' | 'fill' | 'merge' | 'verify'

export interface FtsRebuildOptions {
  /** Whose directory it is: a Python engine may index what is behind a NUL character. */
  engine?: Generation['engine'] | undefined
  /** Counts documents in the step `fill`. */
  onStep?: ((step: FtsStep, done: number, total: number) => void) | undefined
  signal?: AbortSignal | undefined
  /** With options, as FTS5 takes it: `unicode61 remove_diacritics 2`. */
  tokenizer?: string | undefined
}

export interface FtsRebuild {
  documents: number
  /** Pages of the old index that were damaged and are no longer part of anything; VACUUM gives them back. */
  lostPages: number
}

/** The documents that a full-text index has to hold. */
export interface DocumentCount {
  /** UTF-8 bytes of their texts. */
  bytes: number
  documents: number
}

export async function countDocuments(db: Database): Promise<DocumentCount> {
  const row = await db.get<DocumentCount>(
    `SELECT count(*) AS documents, coalesce(sum(octet_length(string_value)), 0) AS bytes FROM ${DOCUMENTS}`,
  )
  return {bytes: row?.bytes ?? 0, documents: row?.documents ?? 0}
}

/**
 * What a rebuild writes beside the database's present size, in bytes: the new index, or what it overwrites of the old
 * one, which goes into SQLite's journal.
 */
export function ftsRebuildBytes(documentBytes: number): number {
  return INDEX_PER_TEXT * documentBytes
}

/**
 * Makes the full-text index anew from the documents in `embedding_metadata`, in one transaction: one row for each
 * document, whose rowid is the record's `embeddings.id`, as both engines write it. It does not matter what is left of the
 * old index. At the end FTS5 checks the new one. Not to be called in a transaction.
 *
 * Memory: some 20 MB, whatever the number of documents.
 *
 * @throws ChopsError `usage` for a tokenizer that SQLite does not have; `damaged` when other parts of the database are
 * damaged, or the new index does not pass; `in-use` when another process has SQLite's lock. Nothing is changed then.
 */
export async function rebuildFts(db: Database, options: FtsRebuildOptions = {}): Promise<FtsRebuild> {
  const {engine, onStep, signal, tokenizer = CHROMA_TOKENIZER} = options
  await requireTokenizer(db, tokenizer)
  onStep?.('drop', 0, 1)
  const treesAreDamaged = await hasDamagedTrees(db)
  const isCut = await endsTextsAtNul(db, {engine, tokenizer})
  return transaction(db, 'IMMEDIATE', async () => {
    const {documents} = await countDocuments(db)
    const {lostPages} = await dropFts(db, treesAreDamaged)
    await db.exec(`CREATE VIRTUAL TABLE ${FTS_TABLE} USING fts5(string_value, ${tokenizeClause(tokenizer)})`)
    const cut = await fillFts(db, () => fill(db, documents, {...options, isCut}))
    signal?.throwIfAborted()
    onStep?.('verify', 0, 1)
    // As long as the table has the texts as they were indexed.
    await command(db, 'integrity-check')
    for (const range of cut) await storeWholeTexts(db, range)
    signal?.throwIfAborted()
    return {documents, lostPages}
  })
}

/** @returns where documents are that were cut at a NUL character */
async function fill(
  db: Database,
  documents: number,
  {isCut, onStep, signal}: FtsRebuildOptions & {isCut: boolean},
): Promise<IdRange[]> {
  const size = Math.max(BATCH, Math.ceil(documents / MOST_PARTS))
  const cut: IdRange[] = []
  let done = 0
  let batch = await nextBatch(db, size)
  while (batch) {
    signal?.throwIfAborted()
    onStep?.('fill', done, documents)
    done += await insert(db, batch, isCut ? textUpToNul('string_value') : 'string_value')
    if (isCut && (await hasNul(db, batch))) cut.push(batch)
    batch = await nextBatch(db, size, batch.to)
  }

  if (done !== documents) throw new Error(`${documents} documents were to be indexed, not ${done}`)
  signal?.throwIfAborted()
  onStep?.('merge', 0, 1)
  await command(db, 'optimize')
  return cut
}

/** By id, in the order of the primary key: FTS5 is slow with rowids that do not ascend. */
async function nextBatch(db: Database, size: number, after?: number): Promise<IdRange | undefined> {
  const row = await db.get<{id: null | number}>(
    `SELECT max(id) AS id FROM (SELECT id FROM ${DOCUMENTS_BY_ID} ${after === undefined ? '' : 'AND id > ?'}
                                ORDER BY id LIMIT ?)`,
    after === undefined ? [size] : [after, size],
  )
  return row?.id === undefined || row.id === null ? undefined : {after, to: row.id}
}

async function insert(db: Database, {after, to}: IdRange, text: string): Promise<number> {
  const {changes} = await db.run(
    `INSERT INTO ${FTS_TABLE} (rowid, string_value)
     SELECT id, ${text} FROM ${DOCUMENTS_BY_ID} ${after === undefined ? '' : 'AND id > ?'} AND id <= ? ORDER BY id`,
    after === undefined ? [to] : [after, to],
  )
  return changes
}

async function command(db: Database, name: 'integrity-check' | 'optimize'): Promise<void> {
  await db.exec(`INSERT INTO ${FTS_TABLE} (${FTS_TABLE}) VALUES ('${name}')`)
}
