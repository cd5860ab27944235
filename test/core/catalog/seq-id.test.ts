import {expect} from 'chai'
import {join} from 'node:path'

import {
  decodeSeqId,
  encodeSeqId,
  keepsVectorSeqIdInTable,
  seqIdText,
} from '../../../core/src/catalog/seq-id.js'
import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {openDatabase} from '../../../core/src/sqlite/open.js'
import {FIXTURES, unpackFixture} from '../../support/fixtures.js'
import {failure} from '../sqlite/support.js'

const RUST = {engine: 'rust', releases: '', schema: {embeddingsQueue: 2, metadb: 5, sysdb: 9}} as const
const PYTHON = {engine: 'python', releases: '', schema: {embeddingsQueue: 2, metadb: 4, sysdb: 9}} as const

describe('seq ids', () => {
  const {persistDir} = unpackFixture('chroma-0.4.24')

  /** What a value comes back as from SQLite. */
  async function read(sql: string, params: (null | number | Uint8Array)[] = []): Promise<number | undefined> {
    const db = await openDatabase(join(persistDir, 'chroma.sqlite3'), {mode: 'read'})
    try {
      const row = await db.get<{text: null | string}>(
        `SELECT ${seqIdText('value')} AS text FROM (SELECT ${sql} AS value)`,
        params,
      )
      return decodeSeqId(row?.text)
    } finally {
      await db.close()
    }
  }

  it('are read from every form that an engine wrote', async () => {
    expect(await read('?', [42])).to.equal(42)
    expect(await read("x'0000000000000400'")).to.equal(1024)
    expect(await read(`x'${'00'.repeat(22)}0400'`)).to.equal(1024)
    expect(await read("x'001FFFFFFFFFFFFF'")).to.equal(Number.MAX_SAFE_INTEGER)
    expect(await read('NULL')).to.equal(undefined)
  })

  it('of no byte at all mean that nothing was applied', async () => {
    expect(await read("x''")).to.equal(0)
  })

  it('beyond 2^53, as a failed migration leaves them, stay larger than any real one', async () => {
    expect(await read('1229822654365841720')).to.equal(Number('1229822654365841720'))
    expect(await read("x'FFFFFFFFFFFFFFFF'")).to.be.above(Number.MAX_SAFE_INTEGER)
  })

  it('are refused where they are a text or a fraction, which no engine writes', async () => {
    for (const sql of ["'many'", "'xyz'", '1.5']) {
      const error = await failure('damaged', () => read(sql))
      expect(error.message).to.match(
        /^The table max_seq_id in chroma\.sqlite3 holds .*, which is no seq id\.$/,
      )
    }
  })

  it('are written as the engine does: INTEGER from 1.0, 8 bytes before', async () => {
    expect(encodeSeqId(RUST, 1024)).to.equal(1024)
    const blob = encodeSeqId(PYTHON, 2 ** 33 + 5)
    expect(blob).to.deep.equal(Buffer.from('0000000200000005', 'hex'))
    expect(await read('?', [blob])).to.equal(2 ** 33 + 5)
  })

  it('of a vector segment are in the table from 0.5.7 on, and in the index metadata before', async () => {
    const inTable: string[] = []
    for (const name of FIXTURES) {
      const dir = await openPersistDir(unpackFixture(name).persistDir)
      if (keepsVectorSeqIdInTable(dir.generation)) inTable.push(name)
      await dir.close()
    }

    expect(FIXTURES.filter((name) => !inTable.includes(name))).to.deep.equal([
      'chroma-0.4.24',
      'chroma-0.5.5',
    ])
  })
})
