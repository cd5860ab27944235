import {expect} from 'chai'

import {type IdMap, type PendingLog, readPendingLog} from '../../../core/src/log/pending.js'
import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {unpackFixture} from '../../support/fixtures.js'
import {appendLog, appendManyAdds, locate, type NewLogRow} from '../../support/segments.js'
import {withDatabase} from '../../support/sql.js'
import {failure} from '../sqlite/support.js'

/** An index with `a` to `c`, of which one label was given out and taken back. */
function threeIds(): IdMap {
  return {
    idToLabel: new Map([
      ['a', 1],
      ['b', 2],
      ['c', 4],
    ]),
    idToSeqId: new Map([
      ['a', 1],
      ['b', 2],
      ['c', 4],
    ]),
    totalElementsAdded: 4,
  }
}

const vector = (first: number): Float32Array => Float32Array.from([first, 0, 0, 0, 0, 0, 0, 0.1])

describe('the pending part of the log', () => {
  const {persistDir} = unpackFixture('chroma-1.5.9')
  const name = 'odd-name_1'

  /** Replaces the log of a collection and reads it. */
  async function read(
    rows: NewLogRow[],
    {ids = threeIds(), skip = 0} = {},
  ): Promise<PendingLog & {seqIds: number[]}> {
    const collection = await locate(persistDir, name)
    await withDatabase(persistDir, (db) =>
      db.run('DELETE FROM embeddings_queue WHERE topic = ?', [collection.topic]),
    )
    const seqIds = await appendLog(persistDir, collection.topic, rows)
    const dir = await openPersistDir(persistDir)
    try {
      return {...(await readPendingLog(dir, collection, seqIds[skip - 1] ?? 0, ids)), seqIds}
    } finally {
      await dir.close()
    }
  }

  const operation = async (row: NewLogRow) => (await read([row])).operations

  it('an add of a new id gives it the next label, and of a known one does nothing', async () => {
    const {ids, operations, seqIds} = await read([
      {id: 'd', operation: 0, vector: vector(1)},
      {id: 'a', operation: 0, vector: vector(2)},
    ])
    expect(operations).to.deep.equal([{label: 5, op: 'add', vector: vector(1)}])
    expect(ids.totalElementsAdded).to.equal(5)
    expect(ids.idToLabel.get('d')).to.equal(5)
    expect(ids.idToSeqId.get('d')).to.equal(seqIds[0])
    expect(ids.idToSeqId.get('a')).to.equal(1)
  })

  it('an update changes a known id, and does nothing to a new one or without an embedding', async () => {
    const {ids, operations, rows, seqIds} = await read([
      {id: 'c', operation: 1, vector: vector(3)},
      {id: 'd', operation: 1, vector: vector(4)},
      {id: 'a', operation: 1},
    ])
    expect(operations).to.deep.equal([{label: 4, op: 'update', vector: vector(3)}])
    expect(rows).to.equal(3)
    expect([...ids.idToLabel.keys()]).to.deep.equal(['a', 'b', 'c'])
    expect(ids.idToSeqId.get('c')).to.equal(seqIds[0])
  })

  it('an upsert adds a new id and updates a known one, which needs no embedding', async () => {
    const {operations} = await read([
      {id: 'b', operation: 2, vector: vector(5)},
      {id: 'd', operation: 2, vector: vector(6)},
      {id: 'd', operation: 2},
    ])
    expect(operations).to.deep.equal([
      {label: 2, op: 'update', vector: vector(5)},
      {label: 5, op: 'add', vector: vector(6)},
    ])
  })

  it('a delete takes the label back for good: the id gets another one when it is added again', async () => {
    const {ids, operations} = await read([
      {id: 'b', operation: 3},
      {id: 'b', operation: 3},
      {id: 'nobody', operation: 3},
      {id: 'b', operation: 0, vector: vector(7)},
    ])
    expect(operations).to.deep.equal([
      {label: 2, op: 'delete'},
      {label: 5, op: 'add', vector: vector(7)},
    ])
    expect(Object.fromEntries(ids.idToLabel)).to.deep.equal({a: 1, b: 5, c: 4})
    expect([...ids.idToSeqId.keys()].sort()).to.deep.equal(['a', 'b', 'c'])
  })

  it('passes over the marker that a backfill leaves', async () => {
    const {operations, rows} = await read([{id: 'a', operation: 4}])
    expect({operations, rows}).to.deep.equal({operations: [], rows: 1})
  })

  it('begins after what was applied, and ends at the newest row of this collection', async () => {
    const {maxSeqId, operations, rows, seqIds} = await read(
      [
        {id: 'a', operation: 3},
        {id: 'b', operation: 3},
      ],
      {skip: 1},
    )
    expect(operations).to.deep.equal([{label: 2, op: 'delete'}])
    expect([rows, maxSeqId]).to.deep.equal([1, seqIds[1]])
  })

  it('stays where the index was when nothing is pending', async () => {
    const {maxSeqId, rows, seqIds} = await read([{id: 'a', operation: 3}], {skip: 1})
    expect([rows, maxSeqId]).to.deep.equal([0, seqIds[0]])
  })

  it('leaves the id map that it was given as it is', async () => {
    const ids = threeIds()
    await read(
      [
        {id: 'a', operation: 3},
        {id: 'd', operation: 0, vector: vector(8)},
      ],
      {ids},
    )
    expect(ids).to.deep.equal(threeIds())
  })

  it('takes embeddings to the byte, also those without an encoding', async () => {
    const odd = Float32Array.from([Number.NaN, Infinity, -0, 1e-45, 3.4e38, 0, 0, 1 / 3])
    const [added] = await operation({encoding: null, id: 'd', operation: 0, vector: odd})
    const bytes = added && 'vector' in added ? Buffer.from(added.vector.buffer) : Buffer.alloc(0)
    expect(bytes.equals(Buffer.from(odd.buffer))).to.equal(true)
  })

  it('refuses an id that is no text, which SQLite would keep', async () => {
    const {topic} = await locate(persistDir, name)
    await appendLog(persistDir, topic, [{id: 'blob', operation: 3}])
    await withDatabase(persistDir, (db) => db.run("UPDATE embeddings_queue SET id = x'00' WHERE id = 'blob'"))
    const dir = await openPersistDir(persistDir)
    const collection = await locate(persistDir, name)
    const error = await failure('damaged', () => readPendingLog(dir, collection, 0, threeIds()))
    await dir.close()
    expect(error.message).to.match(/^Row \d+ of the log .* has an id that is no text\.$/)
    await withDatabase(persistDir, (db) => db.run("DELETE FROM embeddings_queue WHERE id = x'00'"))
  })

  it('reads any number of rows', async () => {
    const collection = await locate(persistDir, name)
    await withDatabase(persistDir, (db) =>
      db.run('DELETE FROM embeddings_queue WHERE topic = ?', [collection.topic]),
    )
    await appendManyAdds(persistDir, collection.topic, 4500, 8)
    const dir = await openPersistDir(persistDir)
    const nothing = {idToLabel: new Map(), idToSeqId: new Map(), totalElementsAdded: 0}
    const {ids, operations, rows} = await readPendingLog(dir, collection, 0, nothing)
    expect([rows, operations.length, ids.totalElementsAdded]).to.deep.equal([4500, 4500, 4500])
    expect([ids.idToLabel.get('many-0'), ids.idToLabel.get('many-4499')]).to.deep.equal([1, 4500])

    const aborted = readPendingLog(dir, collection, 0, nothing, AbortSignal.abort())
    expect(await aborted.catch((error: unknown) => (error as Error).name)).to.equal('AbortError')
    await dir.close()
  })

  const refused: [title: string, row: NewLogRow, says: string][] = [
    ['an unknown operation', {id: 'x', operation: 7}, 'has the unknown operation 7'],
    ['an add without an embedding', {id: 'x', operation: 0}, 'adds a record without an embedding'],
    [
      'an upsert of a new id without an embedding',
      {id: 'x', operation: 2},
      'adds a record without an embedding',
    ],
    [
      'another dimension',
      {id: 'x', operation: 0, vector: new Float32Array(4)},
      'has an embedding of 4 dimensions, and the collection has 8',
    ],
    [
      'half a number',
      {id: 'x', operation: 0, vector: new Uint8Array(33)},
      'has an embedding of 8.25 dimensions, and the collection has 8',
    ],
    [
      'an empty embedding',
      {id: 'x', operation: 0, vector: new Uint8Array()},
      'has an embedding of 0 dimensions',
    ],
    [
      'another encoding',
      {encoding: 'INT32', id: 'a', operation: 1, vector: new Uint8Array(32)},
      'has an embedding in the encoding "INT32", not FLOAT32',
    ],
  ]
  for (const [title, row, says] of refused) {
    it(`refuses ${title}, and names the row, the collection and the id`, async () => {
      const error = await failure('damaged', () => read([{id: 'b', operation: 3}, row]))
      const {topic} = await locate(persistDir, name)
      const last = await withDatabase(persistDir, (db) =>
        db.get<{seqId: number}>('SELECT MAX(seq_id) AS seqId FROM embeddings_queue WHERE topic = ?', [topic]),
      )
      expect(error.message).to.include(
        `Row ${last?.seqId} of the log (collection ${name}, id "${row.id}") ${says}`,
      )
      expect(error.message).to.match(/\.$/)
      expect(error.file).to.match(/chroma\.sqlite3$/)
    })
  }
})
