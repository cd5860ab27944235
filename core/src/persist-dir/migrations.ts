import {createHash} from 'node:crypto'

import type {SchemaVersions} from './generation.js'

/** One step of Chroma's schema, as its engines run it and as they expect to find it in the table `migrations`. */
export interface Migration {
  dir: 'embeddings_queue' | 'metadb' | 'sysdb'
  filename: string
  /** MD5 of `sql`, which every engine compares when it opens a directory. */
  hash: string
  sql: string
  version: number
}

/**
 * The migrations that a schema consists of, in the order in which the Rust engines run them. Chroma never changed one
 * after its release: the same texts and hashes are in the directories of 0.4.24 and of 1.5.9.
 *
 * @returns undefined for a schema that is newer than the ones known here
 */
export function migrationsOf(schema: SchemaVersions): Migration[] | undefined {
  const wanted = {embeddings_queue: schema.embeddingsQueue, metadb: schema.metadb, sysdb: schema.sysdb}
  const applied = MIGRATIONS.filter(({dir, version}) => version <= wanted[dir])
  const isKnown = applied.length === schema.embeddingsQueue + schema.metadb + schema.sysdb
  return isKnown
    ? applied.map((migration) => ({
        ...migration,
        hash: createHash('md5').update(migration.sql).digest('hex'),
      }))
    : undefined
}

/** `chromadb/migrations` and `rust/sqlite/migrations`, to the byte: an engine refuses a directory that differs. */
const MIGRATIONS: Omit<Migration, 'hash'>[] = [
  {
    dir: 'sysdb',
    filename: '00001-collections.sqlite.sql',
    sql: `CREATE TABLE collections (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    topic TEXT NOT NULL,
    UNIQUE (name)
);

CREATE TABLE collection_metadata (
    collection_id TEXT REFERENCES collections(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    str_value TEXT,
    int_value INTEGER,
    float_value REAL,
    PRIMARY KEY (collection_id, key)
);
`,
    version: 1,
  },
  {
    dir: 'sysdb',
    filename: '00002-segments.sqlite.sql',
    sql: `CREATE TABLE segments (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    scope TEXT NOT NULL,
    topic TEXT,
    collection TEXT REFERENCES collection(id)
);

CREATE TABLE segment_metadata (
    segment_id TEXT  REFERENCES segments(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    str_value TEXT,
    int_value INTEGER,
    float_value REAL,
    PRIMARY KEY (segment_id, key)
);
`,
    version: 2,
  },
  {
    dir: 'sysdb',
    filename: '00003-collection-dimension.sqlite.sql',
    sql: `ALTER TABLE collections ADD COLUMN dimension INTEGER;
`,
    version: 3,
  },
  {
    dir: 'sysdb',
    filename: '00004-tenants-databases.sqlite.sql',
    sql: `CREATE TABLE IF NOT EXISTS tenants (
    id TEXT PRIMARY KEY,
    UNIQUE (id)
);

CREATE TABLE IF NOT EXISTS databases (
    id TEXT PRIMARY KEY, -- unique globally
    name TEXT NOT NULL, -- unique per tenant
    tenant_id TEXT NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    UNIQUE (tenant_id, name) -- Ensure that a tenant has only one database with a given name
);

CREATE TABLE IF NOT EXISTS collections_tmp (
    id TEXT PRIMARY KEY, -- unique globally
    name TEXT NOT NULL, -- unique per database
    topic TEXT NOT NULL,
    dimension INTEGER,
    database_id TEXT NOT NULL REFERENCES databases(id) ON DELETE CASCADE,
    UNIQUE (name, database_id)
);

-- Create default tenant and database
INSERT OR REPLACE INTO tenants (id) VALUES ('default_tenant'); -- The default tenant id is 'default_tenant' others are UUIDs
INSERT OR REPLACE INTO databases (id, name, tenant_id) VALUES ('00000000-0000-0000-0000-000000000000', 'default_database', 'default_tenant');

INSERT OR REPLACE INTO collections_tmp (id, name, topic, dimension, database_id)
    SELECT id, name, topic, dimension, '00000000-0000-0000-0000-000000000000' FROM collections;
DROP TABLE collections;
ALTER TABLE collections_tmp RENAME TO collections;
`,
    version: 4,
  },
  {
    dir: 'sysdb',
    filename: '00005-remove-topic.sqlite.sql',
    sql: `-- Remove the topic column from the Collections and Segments tables

ALTER TABLE collections DROP COLUMN topic;
ALTER TABLE segments DROP COLUMN topic;
`,
    version: 5,
  },
  {
    dir: 'sysdb',
    filename: '00006-collection-segment-metadata.sqlite.sql',
    sql: `-- SQLite does not support adding check with alter table, as a result, adding a check
-- involve creating a new table and copying the data over. It is over kill with adding
-- a boolean type column. The application write to the table needs to ensure the data
-- integrity.
ALTER TABLE collection_metadata ADD COLUMN bool_value INTEGER;
ALTER TABLE segment_metadata ADD COLUMN bool_value INTEGER;
`,
    version: 6,
  },
  {
    dir: 'sysdb',
    filename: '00007-collection-config.sqlite.sql',
    sql: `-- Stores collection configuration dictionaries.
ALTER TABLE collections ADD COLUMN config_json_str TEXT;
`,
    version: 7,
  },
  {
    dir: 'sysdb',
    filename: '00008-maintenance-log.sqlite.sql',
    sql: `-- Records when database maintenance operations are performed.
-- At time of creation, this table is only used to record vacuum operations.
CREATE TABLE maintenance_log (
  id INT PRIMARY KEY,
  timestamp INT NOT NULL,
  operation TEXT NOT NULL
);
`,
    version: 8,
  },
  {
    dir: 'sysdb',
    filename: '00009-segment-collection-not-null.sqlite.sql',
    sql: `-- This makes segments.collection non-nullable.
CREATE TABLE segments_temp (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    scope TEXT NOT NULL,
    collection TEXT REFERENCES collection(id) NOT NULL
);

INSERT INTO segments_temp SELECT * FROM segments;
DROP TABLE segments;
ALTER TABLE segments_temp RENAME TO segments;
`,
    version: 9,
  },
  {
    dir: 'sysdb',
    filename: '00010-collection-schema.sqlite.sql',
    sql: `-- Stores collection schema as stringified json
ALTER TABLE collections ADD COLUMN schema_str TEXT;
`,
    version: 10,
  },
  {
    dir: 'metadb',
    filename: '00001-embedding-metadata.sqlite.sql',
    sql: `CREATE TABLE embeddings (
    id INTEGER PRIMARY KEY,
    segment_id TEXT NOT NULL,
    embedding_id TEXT NOT NULL,
    seq_id BLOB NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (segment_id, embedding_id)
);

CREATE TABLE embedding_metadata (
    id INTEGER REFERENCES embeddings(id),
    key TEXT NOT NULL,
    string_value TEXT,
    int_value INTEGER,
    float_value REAL,
    PRIMARY KEY (id, key)
);

CREATE TABLE max_seq_id (
    segment_id TEXT PRIMARY KEY,
    seq_id BLOB NOT NULL
);

CREATE VIRTUAL TABLE embedding_fulltext USING fts5(id, string_value);
`,
    version: 1,
  },
  {
    dir: 'metadb',
    filename: '00002-embedding-metadata.sqlite.sql',
    sql: `-- SQLite does not support adding check with alter table, as a result, adding a check
-- involve creating a new table and copying the data over. It is over kill with adding
-- a boolean type column. The application write to the table needs to ensure the data
-- integrity.
ALTER TABLE embedding_metadata ADD COLUMN bool_value INTEGER
`,
    version: 2,
  },
  {
    dir: 'metadb',
    filename: '00003-full-text-tokenize.sqlite.sql',
    sql: `CREATE VIRTUAL TABLE embedding_fulltext_search USING fts5(string_value, tokenize='trigram');
INSERT INTO embedding_fulltext_search (rowid, string_value) SELECT rowid, string_value FROM embedding_metadata;
DROP TABLE embedding_fulltext;
`,
    version: 3,
  },
  {
    dir: 'metadb',
    filename: '00004-metadata-indices.sqlite.sql',
    sql: `CREATE INDEX IF NOT EXISTS embedding_metadata_int_value ON embedding_metadata (key, int_value) WHERE int_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS embedding_metadata_float_value ON embedding_metadata (key, float_value) WHERE float_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS embedding_metadata_string_value ON embedding_metadata (key, string_value) WHERE string_value IS NOT NULL;
`,
    version: 4,
  },
  {
    dir: 'metadb',
    filename: '00005-max-seq-id-int.sqlite.sql',
    sql: `ALTER TABLE max_seq_id ADD COLUMN int_seq_id INTEGER;

-- Convert 8 byte wide big-endian integer as blob to native 64 bit integer.
-- Adapted from https://stackoverflow.com/a/70296198.
UPDATE max_seq_id SET int_seq_id = (
  SELECT (
       (instr('123456789ABCDEF', substr(hex(seq_id), -1 , 1)) <<  0)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -2 , 1)) <<  4)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -3 , 1)) <<  8)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -4 , 1)) << 12)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -5 , 1)) << 16)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -6 , 1)) << 20)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -7 , 1)) << 24)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -8 , 1)) << 28)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -9 , 1)) << 32)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -10, 1)) << 36)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -11, 1)) << 40)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -12, 1)) << 44)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -13, 1)) << 48)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -14, 1)) << 52)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -15, 1)) << 56)
     | (instr('123456789ABCDEF', substr(hex(seq_id), -16, 1)) << 60)
    )
);

ALTER TABLE max_seq_id DROP COLUMN seq_id;
ALTER TABLE max_seq_id RENAME COLUMN int_seq_id TO seq_id;
`,
    version: 5,
  },
  {
    dir: 'metadb',
    filename: '00006-metadata-array-support.sqlite.sql',
    sql: `-- Separate table for exploded array metadata values.
-- Each array element gets its own row, enabling efficient $contains queries.
-- The existing embedding_metadata table (with its PRIMARY KEY (id, key))
-- remains untouched and continues to store scalar metadata values.

CREATE TABLE IF NOT EXISTS embedding_metadata_array (
    id INTEGER NOT NULL REFERENCES embeddings(id),
    key TEXT NOT NULL,
    string_value TEXT,
    int_value INTEGER,
    float_value REAL,
    bool_value INTEGER
);

CREATE INDEX IF NOT EXISTS embedding_metadata_array_id_key
    ON embedding_metadata_array (id, key);
CREATE INDEX IF NOT EXISTS embedding_metadata_array_key_string
    ON embedding_metadata_array (key, string_value) WHERE string_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS embedding_metadata_array_key_int
    ON embedding_metadata_array (key, int_value) WHERE int_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS embedding_metadata_array_key_float
    ON embedding_metadata_array (key, float_value) WHERE float_value IS NOT NULL;
`,
    version: 6,
  },
  {
    dir: 'embeddings_queue',
    filename: '00001-embeddings.sqlite.sql',
    sql: `CREATE TABLE embeddings_queue (
    seq_id INTEGER PRIMARY KEY,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    operation INTEGER NOT NULL,
    topic TEXT NOT NULL,
    id TEXT NOT NULL,
    vector BLOB,
    encoding TEXT,
    metadata TEXT
);
`,
    version: 1,
  },
  {
    dir: 'embeddings_queue',
    filename: '00002-embeddings-queue-config.sqlite.sql',
    sql: `CREATE TABLE embeddings_queue_config (
    id INTEGER PRIMARY KEY,
    config_json_str TEXT
);
`,
    version: 2,
  },
]
