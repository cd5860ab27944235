import {deepEqual, equal} from 'node:assert/strict'

import type {Collection} from '../../../core/src/catalog/catalog.js'
import type {PersistDir} from '../../../core/src/persist-dir/persist-dir.js'

import {readPendingLog} from '../../../core/src/log/pending.js'
import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {unpackFixture} from '../../support/fixtures.js'
import {CellReader, databaseOf, encodeCell, outcome} from '../support.js'

const COLUMNS = ['operation', 'id', 'vector', 'encoding'] as const
const MOST_ROWS = 64
const LARGEST_DIMENSION = 8

/** Rows of `embeddings_queue` with any value in any column: an accepted log leads where its operations lead one by one. */
export async function fuzz(data: Buffer): Promise<void> {
  const cells = new CellReader(data)
  const dimension = 1 + (cells.byte() % LARGEST_DIMENSION)
  const rows: Record<string, unknown>[] = []
  while (!cells.isAtEnd && rows.length < MOST_ROWS) {
    const row: Record<string, unknown> = {seq_id: rows.length + 1}
    for (const column of COLUMNS) row[column] = cells.next()
    rows.push(row)
  }

  const ids = {idToLabel: new Map([['a', 7]]), idToSeqId: new Map([['a', 1]]), totalElementsAdded: 9}
  const dir = {databaseFile: 'chroma.sqlite3', db: databaseOf(rows)} as PersistDir
  const collection = {dimension, name: 'fuzzed', topic: 'topic'} as Collection
  const log = await outcome(() => readPendingLog(dir, collection, 0, ids))
  if (!log) return
  equal(log.rows, rows.length)
  const known = new Set(ids.idToLabel.keys())
  for (const {id, operation} of rows as {id: string; operation: number}[]) {
    if (operation === 3) known.delete(id)
    else if (operation === 0 || operation === 2) known.add(id)
  }

  deepEqual(new Set(log.ids.idToLabel.keys()), known)
  const labels = [...log.ids.idToLabel.values()]
  equal(new Set(labels).size, labels.length, 'a label is given out twice')
  equal(labels.filter((label) => label > log.ids.totalElementsAdded).length, 0)
  for (const id of known) equal(typeof id, 'string')
  for (const operation of log.operations) {
    if (operation.op !== 'delete') equal(operation.vector.length, dimension)
  }
}

export async function* seeds(): AsyncGenerator<[string, Buffer]> {
  for (const fixture of ['chroma-0.5.23', 'chroma-1.5.9'] as const) {
    const dir = await openPersistDir(unpackFixture(fixture).persistDir)
    const rows = await dir.db.all<Record<(typeof COLUMNS)[number], never>>(
      `SELECT ${COLUMNS.join(', ')} FROM embeddings_queue ORDER BY seq_id DESC LIMIT 12`,
    )
    await dir.close()
    const cells = rows.flatMap((row) => COLUMNS.map((column) => encodeCell(row[column])))
    yield [fixture, Buffer.concat([Buffer.of(7), ...cells])]
  }
}
