import {type Migration, migrationsOf} from '@chops/core/migrations'
import {NEWEST_SCHEMA} from '@chops/core/persist-dir'
import {createHash} from 'node:crypto'

/** A migration as the table `migrations` records it. */
export type RecordedMigration = Omit<Migration, 'dir'> & {dir: string}

/** SHA-256 hashes (Chroma's setting `migrations_hash_algorithm`) are twice as long as MD5. */
const SHA256_DIGITS = 64

/**
 * How the applied migrations differ from those that Chroma would expect (`validate_migrations_and_get_unapplied` in
 * `rust/sqlite/src/db.rs`, `_verify_migration_sequence` in `chromadb/db/migrations.py`), in sentences; `newer` counts
 * those that this chops does not know.
 */
export function compareMigrations(applied: readonly RecordedMigration[]): {
  newer: string[]
  problems: string[]
} {
  const newer: string[] = []
  const problems: string[] = []
  const allKnown = migrationsOf(NEWEST_SCHEMA) ?? []
  const dirs = new Set<string>(allKnown.map(({dir}) => dir))
  for (const dir of dirs) {
    const known = allKnown.filter((migration) => migration.dir === dir)
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

      if (filename !== expected.filename)
        problems.push(`${name} is recorded as ${filename}, not ${expected.filename}`)
      const isRight =
        hash.length === SHA256_DIGITS ? hash === sha256(sql) && sql === expected.sql : hash === expected.hash
      if (!isRight) problems.push(`${name} (${filename}) has another hash than every Chroma gives it`)
    }
  }

  const strange = new Set(applied.map(({dir}) => dir).filter((dir) => !dirs.has(dir)))
  for (const dir of strange) problems.push(`there are migrations of ${dir}, which no Chroma has`)
  return {newer, problems}
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
