import {equal} from 'node:assert/strict'
import {mkdirSync, rmSync} from 'node:fs'
import {join} from 'node:path'

import type {ChopsError, ErrorKind} from '../../../core/src/errors.js'
import type {Database, SqlValue} from '../../../core/src/sqlite/database.js'
import type {Layout} from '../../../plugins/ops-snapshot/src/services/format/layout.js'

import {readCatalog} from '../../../core/src/catalog/catalog.js'
import {selectCollection} from '../../../core/src/catalog/select-collection.js'
import {generationOf} from '../../../core/src/persist-dir/generation.js'
import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {openDatabase} from '../../../core/src/sqlite/open.js'
import {
  readDescription,
  type Snapshot,
  type SnapshotDescription,
} from '../../../plugins/ops-snapshot/src/services/format/open.js'
import {
  readIndexFiles,
  readStoredFiles,
} from '../../../plugins/ops-snapshot/src/services/format/read-index.js'
import {
  checkRows,
  compareTables,
  verifyIndex,
} from '../../../plugins/ops-snapshot/src/services/format/verify.js'
import {planConversion} from '../../../plugins/ops-snapshot/src/services/restore/conversion.js'
import {translateLogPosition} from '../../../plugins/ops-snapshot/src/services/restore/log-positions.js'
import {takeSnapshot} from '../../../plugins/ops-snapshot/src/services/snapshot/take-snapshot.js'
import {temporaryFolder, unpackFixture} from '../../support/fixtures.js'
import {pythonSnapshot} from '../../support/snapshots.js'
import {CellReader, encodeCell, outcome, workFolder} from '../support.js'

/** The tables of a snapshot that was written, and what stands in them. */
interface Base {
  db: Database
  layout: Layout
  tables: Table[]
}

interface Table {
  columns: string[]
  /** Columns that tell the rows apart. */
  key: string
  name: string
  /** As text, with the type of each value. */
  rows: string
}

const OPERATIONS = ['update', 'copy', 'delete'] as const
const MOST_CHANGES = 32
/** Of the restored directory: the newest, the last of the Python engine, and the oldest. */
const TARGETS = [
  {embeddingsQueue: 2, metadb: 6, sysdb: 10},
  {embeddingsQueue: 2, metadb: 4, sysdb: 9},
  {embeddingsQueue: 1, metadb: 3, sysdb: 4},
].flatMap((schema) => generationOf(schema) ?? [])

const folder = workFolder()
const bases = [
  await openBase(await chopsSnapshot('zlib'), 'chops'),
  await openBase(await chopsSnapshot('none'), 'chops'),
  await openBase(pythonSnapshot('0.6.3'), 'python'),
  await openBase(pythonSnapshot('1.0.16'), 'python'),
]

/**
 * Snapshots of either tool in which rows are changed, copied and deleted, with any value in any column: what is accepted
 * is what the rows say, and a table that has its checksum is the one that was written.
 */
export async function fuzz(data: Buffer): Promise<void> {
  const cells = new CellReader(data)
  const base = bases[cells.byte() % bases.length]
  if (!base) return
  await base.db.exec('BEGIN')
  try {
    for (let n = 0; !cells.isAtEnd && n < MOST_CHANGES; n++) await change(base, cells)
    await expectReadRightly(base)
  } finally {
    await base.db.exec('ROLLBACK')
  }
}

async function expectReadRightly(base: Base): Promise<void> {
  const {db, layout} = base
  const description = await accepted(base, () => readDescription(db, layout))
  if (!description) return
  expectTypes(description)
  const snapshot: Snapshot = {...description, close: () => db.close(), db, file: db.file, layout, size: 0}
  const counts = await accepted(base, () => checkRows(snapshot))
  rmSync(folder, {recursive: true})
  mkdirSync(folder)
  const files = await accepted(base, async () => {
    const stored = await readStoredFiles(snapshot)
    await readIndexFiles(snapshot, stored, folder)
    return stored
  })
  if (files) {
    await accepted(base, () => verifyIndex(snapshot, folder))
  }

  for (const {sha256, size} of files ?? []) {
    equal(typeof sha256, 'string')
    equal(Number.isSafeInteger(size), true)
  }

  if (counts && files) equal(counts.hnswFiles, files.length)
  if (counts) await expectRestorable(base, snapshot)
  await accepted(base, async () => {
    await compareTables(snapshot)
    if (layout === 'chops') await expectUnchanged(base)
  })
}

/** What is made of a snapshot that is in order; a refusal says of which file it is, and what to do next. */
async function accepted<T>(
  {db}: Base,
  read: () => Promise<T>,
  kinds?: readonly ErrorKind[],
): Promise<T | undefined> {
  return outcome(async () => {
    try {
      return await read()
    } catch (error) {
      const {message, next} = error as ChopsError
      equal(message.includes(db.file) && next !== undefined, true, message)
      throw error
    }
  }, kinds)
}

async function expectUnchanged({db, tables}: Base): Promise<void> {
  for (const table of tables) {
    if (!/^(?:hnsw|snapshot)_/.test(table.name))
      equal(await rowsOf(db, table), table.rows, `${table.name} has its checksum`)
  }
}

/** What goes into output, messages and file names. */
function expectTypes({collection, info, parameters}: SnapshotDescription): void {
  for (const text of [collection.database, collection.id, collection.name, collection.tenant])
    equal(typeof text, 'string')
  for (const text of [collection.configJson, collection.schemaJson, info.createdAt])
    equal(text === null || typeof text === 'string', true, `${String(text)} is no text`)
  for (const number of [collection.dimension ?? 1, info.records, parameters.m])
    equal(Number.isSafeInteger(number), true, `${number} is no count`)
}

async function expectRestorable(base: Base, snapshot: Snapshot): Promise<void> {
  for (const target of TARGETS) {
    const conversion = await accepted(base, () => planConversion(snapshot, target), ['damaged', 'usage'])
    for (const text of [conversion?.configJson, conversion?.schemaJson])
      equal(text === undefined || text === null || typeof text === 'string', true)
  }

  const {maxSeqId} = snapshot.collection.metadata
  const end = 1000
  const position = await translateLogPosition(snapshot, maxSeqId ?? 0, end)
  equal(Number.isSafeInteger(position) && position >= end, true)
}

/** One row changed, copied with another value in one column, or deleted. */
async function change({db, tables}: Base, cells: CellReader): Promise<void> {
  const operation = OPERATIONS[cells.byte() % OPERATIONS.length]
  const table = tables[cells.byte() % tables.length]
  if (!table) return
  const {columns, key, name} = table
  const at = `(${key}) IN (SELECT ${key} FROM ${name} LIMIT 1 OFFSET ?)`
  const row = cells.byte()
  if (operation === 'delete') return attempt(db, `DELETE FROM ${name} WHERE ${at}`, [row])
  const column = columns[cells.byte() % columns.length] ?? ''
  const value = cells.next()
  if (operation === 'update')
    return attempt(db, `UPDATE OR IGNORE ${name} SET ${column} = ? WHERE ${at}`, [value, row])
  const values = columns.map((other) => (other === column ? '?' : other)).join(', ')
  return attempt(db, `INSERT OR IGNORE INTO ${name} SELECT ${values} FROM ${name} WHERE ${at}`, [value, row])
}

/** SQLite itself refuses a text as a rowid. */
async function attempt(db: Database, sql: string, params: SqlValue[]): Promise<void> {
  try {
    await db.run(sql, params)
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('datatype mismatch'))) throw error
  }
}

async function openBase(file: string, layout: Layout): Promise<Base> {
  const db = await openDatabase(file, {mode: 'write'})
  const found = await db.all<{name: string; wr: number}>(
    "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  )
  const tables: Table[] = []
  for (const {name, wr} of found) {
    const columns = await db.all<{name: string}>('SELECT name FROM pragma_table_info(?)', [name])
    const table = {
      columns: columns.map((column) => column.name),
      key: wr ? 'id, key' : 'rowid',
      name,
      rows: '',
    }
    tables.push({...table, rows: await rowsOf(db, table)})
  }

  return {db, layout, tables}
}

async function rowsOf(db: Database, {columns, key, name}: Table): Promise<string> {
  const values = columns.map((column) => `quote(${column})`).join(` || ',' || `)
  const row = await db.get<{rows: null | string}>(
    `SELECT group_concat(line, char(10)) AS rows FROM (SELECT ${values} AS line FROM ${name} ORDER BY ${key})`,
  )
  return row?.rows ?? ''
}

/** Of a collection with an index, a log, lists and every type of metadata. */
async function chopsSnapshot(compression: 'none' | 'zlib'): Promise<string> {
  const file = join(temporaryFolder(), 'snapshot')
  const dir = await openPersistDir(unpackFixture('chroma-1.5.9').persistDir)
  try {
    const collection = selectCollection(await readCatalog(dir), {
      database: 'prod',
      name: 'churned',
      tenant: 'acme',
    })
    await takeSnapshot(dir, collection, file, {compression})
  } finally {
    await dir.close()
  }

  return file
}

/** @yields an untouched snapshot of each kind, and of both layouts one with the last column of each table changed */
export function* seeds(): Generator<[string, Buffer]> {
  for (const [number, {layout}] of bases.entries()) yield [`${layout}-${number}`, Buffer.of(number)]
  for (const number of [0, 2]) {
    const {layout = '', tables = []} = bases[number] ?? {}
    for (const [table, {columns, name}] of tables.entries()) {
      const change = Buffer.of(number, 0, table, 1, columns.length - 1)
      yield [`${layout}-${name}`, Buffer.concat([change, encodeCell('changed')])]
    }
  }
}
