import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {Command} from './run.js'

const BARE_SQL = fileURLToPath(new URL('data/bare-sql.mjs', import.meta.url))
const HASH_FILES = fileURLToPath(new URL('data/hash-files.mjs', import.meta.url))
const REBUILD_FTS = fileURLToPath(new URL('data/rebuild-fts.mjs', import.meta.url))

/** `cp -a` of a persist directory, and `sync` of the copy. */
export function copying(persistDir: string, target: string): Command {
  return {args: ['-c', 'cp -a "$0" "$1" && sync "$1"/* "$1"/*/*', persistDir, target], file: 'bash'}
}

/** A command and then the SHA-256 of what it has written: a file, or all files of a folder. */
export function thenHashing({args, file}: Command, written: string): Command {
  return {args: [HASH_FILES, written, file, ...args], file: process.execPath}
}

/** A job on a persist directory in plain SQL, see `data/bare-sql.mjs`. */
export function bareSql(job: 'clean' | 'export' | 'snapshot', ...args: string[]): Command {
  return {args: [BARE_SQL, job, ...args], file: process.execPath}
}

/** The full-text index of a persist directory made anew in plain SQL, see `data/rebuild-fts.mjs`. */
export function bareFtsRebuild(persistDir: string): Command {
  return {args: [REBUILD_FTS, join(persistDir, 'chroma.sqlite3')], file: process.execPath}
}
