import {INDEX_FILES} from '@chops/core/persist-dir'

/** The version of the format that is written, see docs/snapshot-format.md. */
export const FORMAT_VERSION = 2

/** Those that are read. */
export const FORMAT_VERSIONS: readonly number[] = [1, FORMAT_VERSION]

/** Bytes of an index file in one row of `hnsw_segment_data`. */
export const CHUNK_BYTES = 1 << 20

/** A table of Chroma's rows, or of index files, whose content has a checksum in `snapshot_tables`. */
export interface SnapshotTable {
  /** In the order of the declaration, in which they are hashed. */
  columns: readonly string[]
  ddl: string
  /** What the rows are ordered and read by: the rowid, or the record where each has many rows. */
  key: 'id' | 'rowid'
  /** Those of the columns whose values may be of any length. */
  texts: readonly string[]
}

function table(
  name: string,
  definitions: readonly string[],
  {key = 'rowid' as const, options = ''} = {},
): SnapshotTable {
  const nameOf = (definition: string): string => definition.slice(0, definition.indexOf(' '))
  return {
    columns: definitions.map((definition) => nameOf(definition)),
    ddl: `CREATE TABLE ${name} (${definitions.join(', ')})${options}`,
    key,
    texts: definitions.filter((one) => / (?:BLOB|TEXT)\b/.test(one)).map((one) => nameOf(one)),
  }
}

const VALUES = ['int_value INTEGER', 'float_value REAL', 'bool_value INTEGER']

/** Chroma's own tables, under the names that the snapshots of the Python tool use, and the index files. */
export const TABLES = {
  collections: table('collections', [
    'id TEXT NOT NULL',
    'name TEXT NOT NULL',
    'dimension INTEGER',
    'database_id TEXT NOT NULL',
    'database_name TEXT NOT NULL',
    'tenant_id TEXT NOT NULL',
    'config_json_str TEXT',
    'schema_str TEXT',
  ]),
  collection_metadata: table('collection_metadata', [
    'collection_id TEXT NOT NULL',
    'key TEXT NOT NULL',
    'str_value TEXT',
    ...VALUES,
  ]),
  segments: table('segments', [
    'id TEXT NOT NULL',
    'type TEXT NOT NULL',
    'scope TEXT NOT NULL',
    'collection TEXT NOT NULL',
  ]),
  segment_metadata: table('segment_metadata', [
    'segment_id TEXT NOT NULL',
    'key TEXT NOT NULL',
    'str_value TEXT',
    ...VALUES,
  ]),
  max_seq_id: table('max_seq_id', ['segment_id TEXT NOT NULL', 'seq_id BLOB NOT NULL']),
  embeddings: table('embeddings', [
    'id INTEGER PRIMARY KEY',
    'segment_id TEXT NOT NULL',
    'embedding_id TEXT NOT NULL',
    'seq_id BLOB NOT NULL',
    'created_at TIMESTAMP NOT NULL',
  ]),
  embedding_metadata: {
    ...table('embedding_metadata', [
      'id INTEGER NOT NULL',
      'key TEXT NOT NULL',
      'string_value TEXT',
      ...VALUES,
    ]),
    ddl: `CREATE TABLE embedding_metadata (id INTEGER NOT NULL, key TEXT NOT NULL, string_value TEXT, ${VALUES.join(', ')}, PRIMARY KEY (id, key)) WITHOUT ROWID`,
    key: 'id',
  },
  embedding_metadata_array: table('embedding_metadata_array', [
    'id INTEGER NOT NULL',
    'key TEXT NOT NULL',
    'string_value TEXT',
    ...VALUES,
  ]),
  embeddings_queue: table('embeddings_queue', [
    'seq_id INTEGER PRIMARY KEY',
    'created_at TIMESTAMP NOT NULL',
    'operation INTEGER NOT NULL',
    'topic TEXT NOT NULL',
    'id TEXT NOT NULL',
    'vector BLOB',
    'encoding TEXT',
    'metadata TEXT',
  ]),
} as const satisfies Record<string, SnapshotTable>

export type TableName = keyof typeof TABLES

export const TABLE_NAMES = Object.keys(TABLES) as TableName[]

/** One row per index file. */
const FILES_DDL =
  'CREATE TABLE hnsw_segment_files (filename TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL)'

/** The bytes of the index files, chunk by chunk. */
const DATA_DDL =
  'CREATE TABLE hnsw_segment_data (id INTEGER PRIMARY KEY, segment_id TEXT NOT NULL, filename TEXT NOT NULL, chunk INTEGER NOT NULL, data BLOB NOT NULL)'

const INFO_DDL = 'CREATE TABLE snapshot_info (key TEXT NOT NULL, value TEXT NOT NULL)'

const CHECKSUMS_DDL =
  'CREATE TABLE snapshot_tables (name TEXT NOT NULL, row_count INTEGER NOT NULL, sha256 TEXT NOT NULL)'

/** Made last, so that its page is the last one, and the end of its only value the end of the file. */
export const SEAL_DDL = 'CREATE TABLE snapshot_seal (sha256 BLOB NOT NULL)'

/** All tables but the seal, in the order in which they are made. */
export const DDL: readonly string[] = [
  INFO_DDL,
  ...TABLE_NAMES.map((name) => TABLES[name].ddl),
  FILES_DDL,
  DATA_DDL,
  CHECKSUMS_DDL,
]

export const FILE_NAMES: ReadonlySet<string> = new Set(INDEX_FILES)

/** Bytes of index files together. */
export function indexBytes(files: readonly {size: number}[]): number {
  return files.reduce((sum, {size}) => sum + size, 0)
}
