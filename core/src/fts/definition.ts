import type {Database} from '../sqlite/database.js'

/** Chroma's full-text index over all documents of all collections (`chromadb/migrations/metadb/00003`). */
export const FTS_TABLE = 'embedding_fulltext_search'

/** The tables in which FTS5 keeps it, https://www.sqlite.org/fts5.html#fts5_data_structures */
export const FTS_SHADOW_TABLES = ['data', 'idx', 'content', 'docsize', 'config'].map(
  (suffix) => `${FTS_TABLE}_${suffix}`,
)

/** The tokenizer that Chroma creates the table with: with it a search for any part of a text can use the index. */
export const CHROMA_TOKENIZER = 'trigram'

/** What FTS5 takes where no tokenizer is named. */
const FTS5_DEFAULT = 'unicode61'

/** The full-text index as `sqlite_master` has it. */
export interface FtsDefinition {
  /** Names of shadow tables that do not exist. */
  missing: string[]
  /** The CREATE statement; undefined when there is no table of the name, or none of FTS5. */
  sql: string | undefined
  /** With its options, as it would be given to FTS5: `trigram`, `unicode61 remove_diacritics 2`. */
  tokenizer: string | undefined
}

const FTS5 = /^\s*CREATE\s+VIRTUAL\s+TABLE\b[^(]*\bUSING\s+["'[`]?fts5\b/i
/** The value is a string of SQL, whose quotes are doubled inside, or one bare word. */
const TOKENIZE = /[(,]\s*tokenize\s*=\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([^\s,)]+))/i

/** Reads how the full-text index is defined, from the schema alone: it works whatever state the index is in. */
export async function readFtsDefinition(db: Database): Promise<FtsDefinition> {
  const rows = await db.all<{name: string; sql: null | string}>(
    `SELECT lower(name) AS name, sql FROM sqlite_master WHERE type = 'table' AND lower(name) IN (${[
      FTS_TABLE,
      ...FTS_SHADOW_TABLES,
    ]
      .map((name) => `'${name}'`)
      .join(', ')})`,
  )
  const tables = new Map(rows.map(({name, sql}) => [name, sql ?? '']))
  const statement = tables.get(FTS_TABLE)
  const sql = statement !== undefined && FTS5.test(statement) ? statement : undefined
  return {
    missing: FTS_SHADOW_TABLES.filter((name) => !tables.has(name)),
    sql,
    tokenizer: sql === undefined ? undefined : tokenizerOf(sql),
  }
}

/** The clause of a CREATE statement, quoted as Chroma's own migration has it. */
export function tokenizeClause(tokenizer: string): string {
  return `tokenize='${tokenizer.replaceAll("'", "''")}'`
}

function tokenizerOf(sql: string): string {
  const [, single, double, bare] = TOKENIZE.exec(sql) ?? []
  return single?.replaceAll("''", "'") ?? double?.replaceAll('""', '"') ?? bare ?? FTS5_DEFAULT
}
