import type {Generation, PersistDir} from '@chops/core/persist-dir'
import type {Database} from '@chops/core/sqlite'

import {
  type Collection,
  hasColumn,
  type Metadata,
  readMetadata,
  readTopicPrefix,
  type Segment,
} from '@chops/core/catalog'

/** A row of `max_seq_id`: how far a segment has applied the log. */
export interface Position {
  segmentId: string
  /** The value: decimal digits of a number, hexadecimal digits of a BLOB. */
  text: string
  /** What SQLite calls the type of the value: `integer`, `blob`, `text`, `real`, `null`. */
  type: string
}

/** A collection and what its rows say that a sound catalog does not need to. */
export interface CollectionFacts extends Collection {
  databaseId: string
  /** Its database, and the tenant of that, exist. */
  hasDatabase: boolean
  metadataSegments: number
  vectorSegments: number
}

/** The system tables as they are, whatever is wrong with them. */
export interface Facts {
  collections: CollectionFacts[]
  positions: Position[]
  segments: Segment[]
}

/** A seq id beyond what any log reaches, as a failed migration leaves them. */
export const LARGEST_SEQ_ID = 2n ** 53n

/** The number of a position in either form; undefined for a value that is neither, or that no log can reach. */
function seqIdOf({text, type}: Position): number | undefined {
  const value = bigSeqIdOf({text, type})
  return value !== undefined && value < LARGEST_SEQ_ID ? Number(value) : undefined
}

export function bigSeqIdOf({text, type}: Pick<Position, 'text' | 'type'>): bigint | undefined {
  if (type === 'integer') return BigInt(text) >= 0n ? BigInt(text) : undefined
  return type === 'blob' && text.length > 0 ? BigInt(`0x${text}`) : undefined
}

/**
 * Reads the system tables of any generation without expecting that they agree with each other.
 *
 * @throws ChopsError `damaged` when a table cannot be read
 */
export async function readFacts({db, generation}: Pick<PersistDir, 'db' | 'generation'>): Promise<Facts> {
  const positions = await db.all<Position>(
    `SELECT CAST(segment_id AS TEXT) AS segmentId, typeof(seq_id) AS type,
            CASE typeof(seq_id) WHEN 'blob' THEN hex(seq_id) ELSE COALESCE(CAST(seq_id AS TEXT), '') END AS text
     FROM max_seq_id`,
  )
  const bySegment = new Map(positions.map((position) => [position.segmentId, position]))
  const rows = await db.all<{collectionId: null | string; id: string; scope: string; type: string}>(
    `SELECT CAST(id AS TEXT) AS id, CAST(type AS TEXT) AS type, CAST(scope AS TEXT) AS scope,
            CAST(collection AS TEXT) AS collectionId FROM segments ORDER BY id`,
  )
  const segments = rows.map((row): Segment => {
    const position = bySegment.get(row.id)
    return {...row, maxSeqId: position && seqIdOf(position)}
  })
  // That the log cannot be read has findings of its own.
  const topicPrefix = await readTopicPrefix({db, generation}).catch(() => '')
  return {collections: await readCollections(db, segments, topicPrefix), positions, segments}
}

/**
 * Whether every collection has its segments. What belongs to a segment that one of them lost looks as if it belonged to
 * nobody, and is all there is of the collection.
 */
export function hasAllSegments({collections}: Pick<Facts, 'collections'>): boolean {
  return collections.every(({metadataSegments, vectorSegments}) => metadataSegments > 0 && vectorSegments > 0)
}

interface CollectionRow {
  config: null | string
  database: null | string
  databaseId: null | string
  dimension: null | number | string
  id: null | string
  name: null | string
  schema: null | string
  tenant: null | string
  tenantExists: number
}

async function readCollections(
  db: Database,
  segments: Segment[],
  topicPrefix: string,
): Promise<CollectionFacts[]> {
  const optional = async (column: string): Promise<string> =>
    (await hasColumn(db, 'collections', column)) ? `CAST(c.${column} AS TEXT)` : 'NULL'
  const rows = await db.all<CollectionRow>(
    `SELECT CAST(c.id AS TEXT) AS id, CAST(c.name AS TEXT) AS name, CAST(c.dimension AS TEXT) AS dimension,
            CAST(c.database_id AS TEXT) AS databaseId, CAST(d.name AS TEXT) AS database,
            CAST(d.tenant_id AS TEXT) AS tenant,
            EXISTS (SELECT 1 FROM tenants t WHERE t.id = d.tenant_id) AS tenantExists,
            ${await optional('config_json_str')} AS config, ${await optional('schema_str')} AS schema
     FROM collections c LEFT JOIN databases d ON d.id = c.database_id
     ORDER BY d.tenant_id <> 'default_tenant', d.tenant_id, d.name <> 'default_database', d.name, c.name`,
  )
  const collectionMetadata = await readMetadata(db, 'collection_metadata')
  const segmentMetadata = await readMetadata(db, 'segment_metadata')
  return rows.map((row) => {
    const id = row.id ?? ''
    const own = segments.filter((segment) => segment.collectionId === id)
    const vector = own.filter(({scope}) => scope === 'VECTOR')
    const metadata = own.filter(({scope}) => scope === 'METADATA')
    return {
      database: row.database ?? '',
      databaseId: row.databaseId ?? '',
      dimension: dimensionOf(row.dimension),
      hasDatabase: row.database !== null && row.tenantExists === 1,
      id,
      metadata: collectionMetadata.get(id) ?? null,
      metadataSegment: metadata[0],
      metadataSegments: metadata.length,
      name: row.name ?? '',
      parameterSources: {
        configJson: row.config,
        schemaJson: row.schema,
        segmentMetadata: metadataOf(vector[0], segmentMetadata),
      },
      tenant: row.tenant ?? '',
      topic: `${topicPrefix}${id}`,
      vectorSegment: vector[0],
      vectorSegments: vector.length,
    }
  })
}

function metadataOf(segment: Segment | undefined, all: Map<string, Metadata>): Metadata {
  return (segment && all.get(segment.id)) ?? {}
}

function dimensionOf(text: null | number | string): null | number {
  const dimension = text === null ? Number.NaN : Number(text)
  return Number.isSafeInteger(dimension) && dimension > 0 ? dimension : null
}

/** Which engine a schema is of, where the migrations do not tell: by the columns and tables that came with each. */
export async function inferGeneration(db: Database): Promise<Generation> {
  const has = async (table: string, column: string, version: number): Promise<number> =>
    (await hasColumn(db, table, column)) ? version : 0
  const isRust = await db.get(
    "SELECT 1 FROM pragma_table_info('max_seq_id') WHERE name = 'seq_id' AND type = 'INTEGER'",
  )
  const sysdb = Math.max(
    4,
    await has('collections', 'config_json_str', 7),
    await has('maintenance_log', 'id', 9),
    await has('collections', 'schema_str', 10),
  )
  const embeddingsQueue = Math.max(1, await has('embeddings_queue_config', 'id', 2))
  return {
    engine: isRust ? 'rust' : 'python',
    releases: 'unknown',
    schema: {embeddingsQueue, metadb: isRust ? 5 : embeddingsQueue + 2, sysdb},
  }
}
