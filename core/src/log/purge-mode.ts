import type {PersistDir} from '../persist-dir/persist-dir.js'

import {damaged, usage} from '../errors.js'

/** Whether Chroma purges applied log rows by itself; `unset` before 0.5.6 and until an engine has decided. */
export type PurgeMode = 'auto' | 'off' | 'unset'

/** The keys of the configuration's JSON that chops knows. */
interface QueueConfig {
  _type?: unknown
  automatically_purge?: unknown
}

interface StoredConfig {
  config: QueueConfig
  id: number
}

/** What the Python engine asks for when it reads the configuration; the Rust engine writes it as well. */
const CONFIG_TYPE = 'EmbeddingsQueueConfigurationInternal'

/** Reads `embeddings_queue_config`, which exists from Chroma 0.5.6 on (embeddings_queue migration 2). */
export async function readPurgeMode(dir: PersistDir): Promise<PurgeMode> {
  const stored = hasPurgeSetting(dir) ? await readConfig(dir) : undefined
  if (stored === undefined) return 'unset'
  return stored.config.automatically_purge === true ? 'auto' : 'off'
}

/** @throws ChopsError `usage` for a directory of an engine that has no such setting */
export function requirePurgeSetting(dir: PersistDir): void {
  if (hasPurgeSetting(dir)) return
  throw usage(
    `${dir.path} is a directory of Chroma ${dir.generation.releases}, which never purges its log: the setting came with Chroma 0.5.6.`,
    {
      file: dir.path,
      next: 'Run "chops wal clean" from time to time, or open the directory with a newer Chroma first.',
    },
  )
}

/**
 * Stores whether Chroma purges the log, in the caller's transaction and in the form that the directory's engine writes;
 * what else the configuration says stays (`EmbeddingsQueueConfigurationInternal` in `chromadb/api/configuration.py`,
 * `LegacyEmbeddingsQueueConfig` in `rust/log/src/sqlite_log.rs`).
 *
 * @throws ChopsError as `requirePurgeSetting`
 */
export async function writePurgeMode(dir: PersistDir, mode: 'auto' | 'off'): Promise<void> {
  requirePurgeSetting(dir)
  const stored = await readConfig(dir)
  const config = {...stored?.config, automatically_purge: mode === 'auto'}
  const text = configText(dir, {...config, _type: config._type ?? CONFIG_TYPE})
  // Both engines give their one row the id 1.
  await dir.db.run('INSERT OR REPLACE INTO embeddings_queue_config (id, config_json_str) VALUES (?, ?)', [
    stored?.id ?? 1,
    text,
  ])
}

function hasPurgeSetting({generation}: PersistDir): boolean {
  return generation.schema.embeddingsQueue >= 2
}

async function readConfig({databaseFile, db}: PersistDir): Promise<StoredConfig | undefined> {
  const row = await db.get<{config_json_str: null | string; id: number}>(
    'SELECT id, config_json_str FROM embeddings_queue_config ORDER BY id LIMIT 1',
  )
  if (!row || row.config_json_str === null) return undefined
  try {
    const config = JSON.parse(row.config_json_str) as null | QueueConfig
    return {config: typeof config === 'object' && config !== null ? config : {}, id: row.id}
  } catch (error) {
    throw damaged(`The log configuration in ${databaseFile} (table embeddings_queue_config) is not JSON.`, {
      cause: error,
      file: databaseFile,
      next: 'Restore chroma.sqlite3 from a backup, or delete the row: Chroma writes a new one.',
    })
  }
}

/** Python's `json.dumps` puts a space after commas and colons, Rust's `serde_json` none. */
function configText({generation}: PersistDir, config: object): string {
  if (generation.engine === 'rust') return JSON.stringify(config)
  const members = Object.entries(config).map(
    ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
  )
  return `{${members.join(', ')}}`
}
