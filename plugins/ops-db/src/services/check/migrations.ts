import {createHash} from 'node:crypto'

/** A migration as the table `migrations` records it. */
export interface Migration {
  dir: string
  filename: string
  hash: string
  sql: string
  version: number
}

/**
 * The migrations of every Chroma from 0.4.15 to 1.5, as all of them record them: by directory, in the order of their
 * versions, the name of the file and the MD5 of its SQL (`chromadb/migrations`, `rust/sqlite/migrations`).
 */
const KNOWN_MIGRATIONS: Record<string, readonly (readonly [filename: string, md5: string])[]> = {
  embeddings_queue: [
    ['00001-embeddings.sqlite.sql', 'd3755dfd232be8e8301f4d7fcfb3a486'],
    ['00002-embeddings-queue-config.sqlite.sql', '8fbfe4ffb3e57f1d8bfdc58510a82e85'],
  ],
  metadb: [
    ['00001-embedding-metadata.sqlite.sql', '2b4cf52c4bb2676e21d6860a4409f856'],
    ['00002-embedding-metadata.sqlite.sql', '12a570f7121b3a8ce750a2a7c36da20f'],
    ['00003-full-text-tokenize.sqlite.sql', 'f97ad6334aeaa8f419f01110b648b97a'],
    ['00004-metadata-indices.sqlite.sql', 'fb36603a45ee2cd0254cef3ef86585e8'],
    ['00005-max-seq-id-int.sqlite.sql', '0e9de46758761b373ce682925edcc326'],
    ['00006-metadata-array-support.sqlite.sql', 'e026f01ea92c1baa1493f4ad5ca7cfe7'],
  ],
  sysdb: [
    ['00001-collections.sqlite.sql', '38352d725ad1c16074fac420b22b4633'],
    ['00002-segments.sqlite.sql', '2913cb6a503055a95f625448037e8912'],
    ['00003-collection-dimension.sqlite.sql', '42d22d0574d31d419c2a0e7f625c93aa'],
    ['00004-tenants-databases.sqlite.sql', '048867ce8fcdefe4023c7110e4433591'],
    ['00005-remove-topic.sqlite.sql', 'b1367c826b8fba5f96f27befdc1d42d2'],
    ['00006-collection-segment-metadata.sqlite.sql', '4eea7468935bf25d4604a0fed2366116'],
    ['00007-collection-config.sqlite.sql', '1c7e63bba346a42a18b6ab7f1c989bed'],
    ['00008-maintenance-log.sqlite.sql', '0a0e7e93111a01789addf64961c6127c'],
    ['00009-segment-collection-not-null.sqlite.sql', '054355aef9e63702bf54ea29e61563f1'],
    ['00010-collection-schema.sqlite.sql', '5c3a5ac4b79df76799b4721827ed5e1d'],
  ],
}

/** SHA-256 hashes (Chroma's setting `migrations_hash_algorithm`) are twice as long as MD5. */
const SHA256_DIGITS = 64

/**
 * How the applied migrations differ from those that Chroma would expect (`validate_migrations_and_get_unapplied` in
 * `rust/sqlite/src/db.rs`, `_verify_migration_sequence` in `chromadb/db/migrations.py`), in sentences; `newer` counts
 * those that this chops does not know.
 */
export function compareMigrations(applied: readonly Migration[]): {newer: string[]; problems: string[]} {
  const newer: string[] = []
  const problems: string[] = []
  for (const [dir, known] of Object.entries(KNOWN_MIGRATIONS)) {
    const own = applied.filter((migration) => migration.dir === dir)
    if (own.length === 0) problems.push(`no migration of ${dir} is recorded`)
    for (const [index, migration] of own.entries()) {
      const {filename, hash, sql, version} = migration
      const name = `${dir} ${version}`
      if (version !== index + 1) {
        problems.push(`${name} (${filename}) is where version ${index + 1} should be`)
        break
      }

      const expected = known[index]
      if (!expected) {
        newer.push(`${name} (${filename})`)
        continue
      }

      const [knownFile, md5] = expected
      if (filename !== knownFile) problems.push(`${name} is recorded as ${filename}, not ${knownFile}`)
      const isRight =
        hash.length === SHA256_DIGITS
          ? digest('sha256', sql) === hash && digest('md5', sql) === md5
          : hash === md5
      if (!isRight) problems.push(`${name} (${filename}) has another hash than every Chroma gives it`)
    }
  }

  const strange = new Set(applied.map(({dir}) => dir).filter((dir) => !(dir in KNOWN_MIGRATIONS)))
  for (const dir of strange) problems.push(`there are migrations of ${dir}, which no Chroma has`)
  return {newer, problems}
}

function digest(algorithm: 'md5' | 'sha256', text: string): string {
  return createHash(algorithm).update(text).digest('hex')
}
