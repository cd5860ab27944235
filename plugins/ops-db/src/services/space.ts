import type {PersistDir} from '@chops/core/persist-dir'

/** What the pages of `chroma.sqlite3` hold, in bytes. */
export interface DatabaseSpace {
  /** Full-text index of the documents, its own copy of them included. */
  fullText: number
  /** Pages that nothing uses: VACUUM gives them back. */
  free: number
  /** `embeddings_queue`, with its indexes. */
  log: number
  /** Records, metadata and documents, with their indexes. */
  metadata: number
  /** Everything else: catalog, migrations. */
  other: number
}

interface TableSize {
  bytes: number
  table: string
}

/** Measures the tables of `chroma.sqlite3` with SQLite's `dbstat`, which reads every page once. */
export async function measureSpace({db}: PersistDir): Promise<DatabaseSpace> {
  const sizes = await db.all<TableSize>(
    `SELECT COALESCE(s.tbl_name, d.name) AS "table", SUM(d.pgsize) AS bytes
     FROM dbstat d LEFT JOIN sqlite_schema s ON s.name = d.name
     WHERE d.aggregate = TRUE GROUP BY 1`,
  )
  const pages = await db.get<{bytes: number}>(
    'SELECT freelist_count * page_size AS bytes FROM pragma_freelist_count, pragma_page_size',
  )
  const space: DatabaseSpace = {free: pages?.bytes ?? 0, fullText: 0, log: 0, metadata: 0, other: 0}
  for (const {bytes, table} of sizes) space[kindOf(table)] += bytes
  return space
}

function kindOf(table: string): keyof DatabaseSpace {
  if (table.startsWith('embedding_fulltext_search')) return 'fullText'
  if (table === 'embeddings_queue') return 'log'
  return table === 'embeddings' || table.startsWith('embedding_metadata') ? 'metadata' : 'other'
}
