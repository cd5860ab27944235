import type {Database} from '../sqlite/database.js'

import {damaged} from '../errors.js'

/** The newest applied migration of each directory of Chroma's migrations (`chromadb/migrations`, `rust/sqlite/migrations`). */
export interface SchemaVersions {
  embeddingsQueue: number
  metadb: number
  sysdb: number
}

/** Which engine owns a directory, read off its migration tables: Chroma itself is not asked, it may not be installed. */
export interface Generation {
  /** `python` up to 0.6 (pickled object, BLOB seq ids), `rust` from 1.0 (pickled dict, INTEGER seq ids). */
  engine: 'python' | 'rust'
  /** The releases that leave a schema like this, for example `1.5` or `0.5.6-0.6.3`. */
  releases: string
  schema: SchemaVersions
}

/** Up to which schema chops knows what each migration is for. */
export const NEWEST_SCHEMA: SchemaVersions = {embeddingsQueue: 2, metadb: 6, sysdb: 10}

/** Newest first: the first row whose versions are all reached names the releases. */
const RELEASES: [SchemaVersions, string][] = [
  [NEWEST_SCHEMA, '1.5'],
  [{embeddingsQueue: 2, metadb: 5, sysdb: 10}, '1.3-1.4'],
  [{embeddingsQueue: 2, metadb: 5, sysdb: 9}, '1.0-1.2'],
  [{embeddingsQueue: 2, metadb: 4, sysdb: 9}, '0.5.6-0.6.3'],
  [{embeddingsQueue: 1, metadb: 3, sysdb: 7}, '0.5.4-0.5.5'],
  [{embeddingsQueue: 1, metadb: 3, sysdb: 6}, '0.5.1-0.5.3'],
  [{embeddingsQueue: 1, metadb: 3, sysdb: 5}, '0.5.0'],
  [{embeddingsQueue: 1, metadb: 3, sysdb: 4}, '0.4.15-0.4.24'],
]

/** The first metadb migration of the Rust engine (`00005-max-seq-id-int`). */
export const METADB_OF_RUST = 5

/**
 * Reads the generation from the `migrations` table.
 *
 * @throws ChopsError `damaged` when the table is empty or older than Chroma 0.4.15
 */
export async function readGeneration(db: Database, file: string): Promise<Generation> {
  const rows = await db.all<{dir: string; version: number}>(
    'SELECT dir, MAX(version) AS version FROM migrations GROUP BY dir',
  )
  const version = (dir: string): number => rows.find((row) => row.dir === dir)?.version ?? 0
  const schema = {
    embeddingsQueue: version('embeddings_queue'),
    metadb: version('metadb'),
    sysdb: version('sysdb'),
  }
  const generation = generationOf(schema)
  if (!generation) {
    throw damaged(`${file} has the schema of a Chroma older than 0.4.15 (${schemaText(schema)}).`, {
      file,
      next: 'Open the directory once with Chroma 0.4.15 or newer, which migrates it.',
    })
  }

  return generation
}

/** The generation that has this schema; undefined before Chroma 0.4.15. */
export function generationOf(schema: SchemaVersions): Generation | undefined {
  const known = RELEASES.find(([minimum]) => reachesSchema(schema, minimum))
  return (
    known && {
      engine: schema.metadb >= METADB_OF_RUST ? 'rust' : 'python',
      releases: reachesSchema(NEWEST_SCHEMA, schema) ? known[1] : 'newer than 1.5',
      schema,
    }
  )
}

/** `1.5 (schema sysdb 10, metadb 6, embeddings_queue 2)`: what every command prints first. */
export function generationText(generation: Generation): string {
  return `${generation.releases} (${schemaText(generation.schema)})`
}

/** Whether a schema has all migrations of another one. */
export function reachesSchema(schema: SchemaVersions, minimum: SchemaVersions): boolean {
  return (
    schema.sysdb >= minimum.sysdb &&
    schema.metadb >= minimum.metadb &&
    schema.embeddingsQueue >= minimum.embeddingsQueue
  )
}

function schemaText(schema: SchemaVersions): string {
  return `schema sysdb ${schema.sysdb}, metadb ${schema.metadb}, embeddings_queue ${schema.embeddingsQueue}`
}
