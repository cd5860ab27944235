import {type Database, keysetPages} from '../sqlite/database.js'
import type {Generation} from '../persist-dir/generation.js'
import {FTS_TABLE, tokenizeClause} from './definition.js'
import {isAboutTheIndex} from './sqlite-words.js'

/*
 * The trigram tokenizer of SQLite up to 3.46 stops at a NUL character; since 3.48 it goes on behind it, as the other
 * tokenizers always did. SQLite 3.46 is in the Rust engines, and older ones are in many Pythons; both drivers bring a newer
 * one. FTS5 deletes a row by tokenizing its text again, so an index has to hold the words that its engine's SQLite finds.
 */

type Engine = Generation['engine']

const DOCUMENT = 'chroma:document'

/** What is checked in place of the index; each name is that of something temporary. */
const SCRATCH = 'chops_fts'
const CUT = 'chops_fts_cut'
const TEXTS = 'chops_fts_texts'

const PAGE = 1000

/** A tokenizer's options follow its name; porter's only one is another tokenizer. */
const TRIGRAM = /^\s*(?:["'[`]?porter["'\]`]?\s+)*["'[`]?trigram\b/i

/** What the full-text table knows of a text. */
interface WordCount {
  /** Before the first NUL character. */
  characters: number
  /** Words in each column, as FTS5 keeps it. */
  sizes: Uint8Array
}

const ROWS = `main.${FTS_TABLE}_content c CROSS JOIN main.${FTS_TABLE}_docsize d ON d.id = c.id`
const HAS_NUL = 'instr(c.c0, char(0)) > 0 AND d.sz IS NOT NULL'
/** SQLite counts characters up to the first NUL. */
const WORD_COUNT = 'length(c.c0) AS characters, CAST(d.sz AS BLOB) AS sizes'

/** Ids above the first, up to the second. */
export interface IdRange {
  /** Undefined for all ids from the smallest on. */
  after: number | undefined
  to: number
}

/** Whether the tokenizer, with its options, ends a text at a NUL character in the SQLite of some engines. */
function stopsAtNul(tokenizer: string): boolean {
  return TRIGRAM.test(tokenizer)
}

/**
 * Whether texts are to be indexed up to a NUL character only, as the engine does it that owns the directory: the Rust engines
 * do, and a Python engine as its SQLite does, which the newest such text in the index tells. Where there is none they are:
 * words too few do less harm than words that an engine does not know of.
 *
 * @param engine unless it is a Python engine, nothing needs to be read
 */
export async function endsTextsAtNul(
  db: Database,
  {engine, tokenizer}: {engine: Engine | undefined; tokenizer: string | undefined},
): Promise<boolean> {
  if (tokenizer === undefined || !stopsAtNul(tokenizer)) return false
  if (engine !== 'python') return true
  try {
    const newest = await db.get<WordCount>(
      `SELECT ${WORD_COUNT} FROM ${ROWS} WHERE ${HAS_NUL} ORDER BY c.id DESC LIMIT 1`,
    )
    return newest === undefined || isCut(newest)
  } catch (error) {
    if (!isAboutTheIndex(error)) throw error
    return true
  }
}

/** An SQL expression for the part of a text that such a tokenizer sees: what is to be given to FTS5. */
export function textUpToNul(text: string): string {
  return `CASE instr(${text}, char(0)) WHEN 0 THEN ${text} ELSE substr(${text}, 1, instr(${text}, char(0)) - 1) END`
}

const ALL_IDS: IdRange = {after: undefined, to: Number.MAX_SAFE_INTEGER}

/** Whether a document of a record in the range has a NUL character. */
export async function hasNul(db: Database, range: IdRange = ALL_IDS): Promise<boolean> {
  const {condition, params} = documentsWithNul(range)
  return (
    (await db.get(`SELECT 1 AS one FROM main.embedding_metadata m WHERE ${condition} LIMIT 1`, params)) !==
    undefined
  )
}

/**
 * Gives the full-text table the whole texts of documents that were put into it up to a NUL character, as engines keep them.
 * It does not change the index over them.
 */
export async function storeWholeTexts(db: Database, range: IdRange): Promise<void> {
  const {condition, params} = documentsWithNul(range)
  await db.run(
    `UPDATE main.${FTS_TABLE}_content AS c
     SET c0 = (SELECT string_value FROM main.embedding_metadata WHERE id = c.id AND key = '${DOCUMENT}')
     WHERE c.id IN (SELECT m.id FROM main.embedding_metadata m WHERE ${condition})`,
    params,
  )
}

/**
 * Lets FTS5 delete the rows of a segment's records by the words that the index has of them. To be called just before that,
 * in its transaction: it takes the rest of the texts away.
 *
 * @param tokenizer of the full-text index
 */
export async function cutTextsToDelete(db: Database, tokenizer: string, segmentId: string): Promise<void> {
  if (!stopsAtNul(tokenizer)) return
  const where = 'c.id IN (SELECT id FROM main.embeddings WHERE segment_id = ?)'
  for await (const ids of pagesOfCutTexts(db, {params: [segmentId], where})) {
    await db.run(
      `UPDATE main.${FTS_TABLE}_content SET c0 = ${textUpToNul('c0')} WHERE id IN (${ids.join(', ')})`,
    )
  }
}

/**
 * Checks whether the full-text index has exactly the words of the texts it keeps when those that its engine's SQLite cut
 * at a NUL character are cut: FTS5 of a newer SQLite cannot say it. A copy of the index goes into a temporary file, where
 * FTS5 checks it against such texts; it works on a read-only connection.
 *
 * Fails as FTS5 fails when it has not.
 *
 * @returns false where no text was cut: there is nothing that FTS5 could not say
 */
export async function checkUpToNul(db: Database, tokenizer: string): Promise<boolean> {
  if (!stopsAtNul(tokenizer)) return false
  try {
    await db.exec(`CREATE TEMP TABLE ${CUT} (id INTEGER PRIMARY KEY)`)
    if (!(await collectCutTexts(db))) return false
    await copyIndex(db, tokenizer)
    await db.exec(`INSERT INTO temp.${SCRATCH} (${SCRATCH}, rank) VALUES ('integrity-check', 1)`)
    return true
  } finally {
    await db.exec(`DROP TABLE IF EXISTS temp.${SCRATCH}`).catch(() => {})
    await db.exec(`DROP VIEW IF EXISTS temp.${TEXTS}; DROP TABLE IF EXISTS temp.${CUT}`).catch(() => {})
  }
}

async function collectCutTexts(db: Database): Promise<boolean> {
  let isAny = false
  for await (const ids of pagesOfCutTexts(db)) {
    isAny = true
    await db.exec(`INSERT INTO temp.${CUT} (id) VALUES ${ids.map((id) => `(${id})`).join(', ')}`)
  }

  return isAny
}

async function copyIndex(db: Database, tokenizer: string): Promise<void> {
  await db.exec(
    `CREATE TEMP VIEW ${TEXTS} AS SELECT id, CASE WHEN id IN temp.${CUT} THEN ${textUpToNul('c0')} ELSE c0 END AS string_value
     FROM main.${FTS_TABLE}_content`,
  )
  await db.exec(
    `CREATE VIRTUAL TABLE temp.${SCRATCH} USING fts5(string_value, ${tokenizeClause(tokenizer)}, content='${TEXTS}', content_rowid='id')`,
  )
  for (const suffix of ['config', 'idx', 'docsize', 'data']) {
    await db.exec(`DELETE FROM temp.${SCRATCH}_${suffix}`)
    await db.exec(`INSERT INTO temp.${SCRATCH}_${suffix} SELECT * FROM main.${FTS_TABLE}_${suffix}`)
  }
}

/** @yields the ids of texts with a NUL character of which the index has the words up to it only */
async function* pagesOfCutTexts(
  db: Database,
  {params = [], where = 'TRUE'}: {params?: string[]; where?: string} = {},
): AsyncGenerator<number[]> {
  const pages = keysetPages<WordCount & {id: number}>(db, {
    columns: `c.id, ${WORD_COUNT}`,
    from: ROWS,
    key: 'c.id',
    pageSize: PAGE,
    params,
    where: `${HAS_NUL} AND ${where}`,
  })
  for await (const page of pages) {
    const cut = page.filter((row) => isCut(row))
    if (cut.length > 0) yield cut.map(({id}) => id)
  }
}

/** Whether the index has as many words of a text as there are trigrams before its NUL character. */
function isCut({characters, sizes}: WordCount): boolean {
  return firstVarint(sizes) === Math.max(0, characters - 2)
}

/** The number of words that FTS5 found in a row's only column. */
function firstVarint(bytes: Uint8Array): number {
  let value = 0
  for (const byte of bytes) {
    value = value * 128 + (byte & 127)
    if (byte < 128) break
  }

  return value
}

function documentsWithNul({after, to}: IdRange): {condition: string; params: number[]} {
  // Unary plus: the index of values would bring all documents.
  const condition = `m.id <= ? AND +m.key = '${DOCUMENT}' AND instr(m.string_value, char(0)) > 0`
  return after === undefined
    ? {condition, params: [to]}
    : {condition: `m.id > ? AND ${condition}`, params: [after, to]}
}
