import type {Database} from '../sqlite/database.js'

import {type ChopsError, damaged} from '../errors.js'
import {primaryCode, SQLITE_CORRUPT} from '../sqlite/errors.js'
import {FTS_SHADOW_TABLES, FTS_TABLE} from './definition.js'

/** Enough that no real complaint is cut off behind those about unused pages. */
const COMPLAINTS = 1_000_000

/** How SQLite says that a page belongs to nothing: to no table and not to the free pages. */
const UNUSED_PAGE = /Page \d+(?: is|:) never used/

/** `ok`, and the heading of the complaints about a database. */
const NO_COMPLAINT = /^(?:ok|\*\*\* in database .*|)$/

const NAMES = [FTS_TABLE, ...FTS_SHADOW_TABLES].map((name) => `'${name}'`).join(', ')

/**
 * Whether SQLite finds the tree of a shadow table damaged, each taken by itself.
 *
 * Not to be called in a transaction: SQLite allows no more writing in one that has met such damage.
 */
export async function hasDamagedTrees(db: Database): Promise<boolean> {
  const tables = await tablesOf(db)
  for (const {name, rootpage} of tables) {
    if (rootpage === 0) continue
    try {
      const complaints = await checkTrees(db, `"${name}"`)
      if (complaints.length > 0) return true
    } catch (error) {
      // The root of the tree cannot be read.
      if (primaryCode(error) !== SQLITE_CORRUPT) throw error
      return true
    }
  }

  return false
}

/**
 * Removes the full-text index with all its tables, in the caller's transaction, in whatever state they are.
 *
 * DROP TABLE of an FTS5 table asks FTS5 first, which refuses when it cannot read its tables. So the table's entry in the
 * schema is deleted by hand: it owns no page. Its shadow tables are ordinary ones from then on. Dropping one frees its
 * pages, and in a damaged tree these may be pages of another table. So SQLite checks all trees first, and unless all is
 * well the shadow tables leave the schema by hand as well, and their pages are left alone.
 *
 * @param treesAreDamaged what `hasDamagedTrees` said
 * @returns how many pages are left that belong to nothing, which VACUUM gives back
 * @throws ChopsError `damaged` when another part of the database is damaged, which no new page should be written to
 */
export async function dropFts(db: Database, treesAreDamaged: boolean): Promise<{lostPages: number}> {
  const tables = await tablesOf(db)
  const strange = tables.find(({type}) => type !== 'table')
  if (strange) throw noTable(db, strange)
  await deleteFromSchema(db, `type = 'table' AND rootpage = 0 AND lower(name) IN (${NAMES})`)
  if (!treesAreDamaged && (await checkTrees(db)).length === 0) {
    for (const {name, rootpage} of tables) if (rootpage !== 0) await db.exec(`DROP TABLE "${name}"`)
    return {lostPages: 0}
  }

  await deleteFromSchema(db, `lower(tbl_name) IN (${NAMES})`)
  const complaints = await checkTrees(db)
  const other = complaints.find((line) => !UNUSED_PAGE.test(line))
  if (other !== undefined) throw damagedElsewhere(db, other)
  return {lostPages: complaints.length}
}

interface SchemaEntry {
  name: string
  /** 0 of what has no pages of its own, as virtual tables and views. */
  rootpage: number
  type: string
}

async function tablesOf(db: Database): Promise<SchemaEntry[]> {
  return db.all(`SELECT name, rootpage, type FROM sqlite_master WHERE lower(name) IN (${NAMES})`)
}

function noTable(db: Database, {name, type}: SchemaEntry): ChopsError {
  return damaged(`${name} in ${db.file} is no table but a ${type}.`, {
    file: db.file,
    next: 'Restore chroma.sqlite3 from a backup; Chroma never makes one.',
  })
}

function damagedElsewhere(db: Database, complaint: string): ChopsError {
  return damaged(`${db.file} is damaged outside of the full-text index: ${complaint}.`, {
    file: db.file,
    next: 'Restore chroma.sqlite3 from a backup; nothing was changed.',
  })
}

async function deleteFromSchema(db: Database, condition: string): Promise<void> {
  await db.exec('PRAGMA writable_schema = ON')
  try {
    await db.exec(`DELETE FROM sqlite_master WHERE ${condition}`)
  } finally {
    // Reads the schema again as well.
    await db.exec('PRAGMA writable_schema = RESET')
  }
}

/**
 * One complaint a line; none when all is well. Fails with `damaged` when SQLite cannot read the root of a tree.
 *
 * @param table in quotes; without it all of the database
 */
async function checkTrees(db: Database, table?: string): Promise<string[]> {
  const rows = await db.all<{quick_check: string}>(`PRAGMA quick_check(${table ?? COMPLAINTS})`)
  return rows.flatMap(({quick_check: text}) => text.split('\n')).filter((line) => !NO_COMPLAINT.test(line))
}
