import type {Context} from 'mocha'

import {expect} from 'chai'
import {createHash} from 'node:crypto'
import {copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync} from 'node:fs'
import {basename, dirname, join} from 'node:path'

import type {DriverName} from '../../../core/src/sqlite/database.js'

import {ChopsError, type ErrorKind} from '../../../core/src/errors.js'
import {nodeSqliteSupport} from '../../../core/src/sqlite/node-sqlite.js'
import {openDatabase} from '../../../core/src/sqlite/open.js'
import {temporaryFolder} from '../../support/fixtures.js'

/** Both drivers, which have to behave the same. */
export const DRIVERS: readonly DriverName[] = ['sqlite3', 'node:sqlite']

/** Leaves the tests of a driver pending where this Node has no usable `node:sqlite`. */
export function skipWithout(driver: DriverName, hook: Context): void {
  if (driver === 'node:sqlite' && nodeSqliteSupport() === 'none') hook.skip()
}

/** Everything in a folder with its size, time of change and content: equal only where not a byte was touched. */
export function snapshot(folder: string): Record<string, string> {
  const entries = readdirSync(folder, {recursive: true, withFileTypes: true}).map((entry) => {
    const path = join(entry.parentPath, entry.name)
    const {ino, mode, mtimeNs, size} = statSync(path, {bigint: true})
    const content = entry.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder'
    return [path, [ino, mode, size, mtimeNs, content].join(' ')] as const
  })
  return Object.fromEntries([...entries, ['.', String(statSync(folder, {bigint: true}).mtimeNs)]])
}

/** Copies a database with the given sidecars, as they are at this moment, into a new folder. */
export function copyDatabase(file: string, suffixes: readonly string[]): string {
  const target = join(temporaryFolder(), basename(file))
  mkdirSync(dirname(target), {recursive: true})
  for (const suffix of ['', ...suffixes]) {
    if (existsSync(file + suffix)) copyFileSync(file + suffix, target + suffix)
  }

  return target
}

/**
 * A database of 2000 rows `(id, old)` whose writer was killed while it set them all to `new`, after some of the
 * changed pages had already been written to the file.
 */
export async function killedWriter(empty: string, driver: DriverName): Promise<string> {
  const db = await openDatabase(empty, {driver, mode: 'write'})
  try {
    await db.exec(`
      PRAGMA cache_size = 1;
      PRAGMA synchronous = OFF;
      CREATE TABLE item (id INTEGER PRIMARY KEY, state TEXT, filler BLOB);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)
      INSERT INTO item SELECT i, 'old', zeroblob(200) FROM n;
      BEGIN;
      UPDATE item SET state = 'new';
    `)
    return copyDatabase(empty, ['-journal'])
  } finally {
    await db.close()
  }
}

/** The ChopsError that a call fails with; any other outcome fails the test. */
export async function failure(kind: ErrorKind, call: () => Promise<unknown>): Promise<ChopsError> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof ChopsError)) throw error
    expect(error.kind, error.message).to.equal(kind)
    return error
  }

  throw new Error('did not fail')
}
