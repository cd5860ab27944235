import {expect} from 'chai'
import {createHash} from 'node:crypto'
import {join} from 'node:path'

import {createDatabase} from '../../core/src/sqlite/create.js'
import type {Database} from '../../core/src/sqlite/database.js'
import {digestTable} from '../../plugins/ops-snapshot/src/services/format/table-hash.js'
import {
  FORMAT_VERSION,
  FORMAT_VERSIONS,
  TABLES,
} from '../../plugins/ops-snapshot/src/services/format/tables.js'
import {temporaryFolder} from '../support/fixtures.js'

type Row = [id: number, key: string, text: null | string, int: null | number, float: null | number]

/** The checksum as docs/snapshot-format.md describes it. */
function expectedOf(rows: readonly Row[]): string {
  const [texts, floats] = [createHash('sha256'), createHash('sha256')]
  for (const [id, key, text, int, float] of rows) {
    const values = [
      `i${id}`,
      textOf(key),
      textOf(text),
      int === null ? 'n' : `i${int}`,
      float === null ? 'n' : 'r',
      'n',
    ]
    texts.update(values.map((value) => `${value},`).join(''))
    if (float === null) continue
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(float)
    floats.update(bytes)
  }

  return createHash('sha256').update(texts.digest()).update(floats.digest()).digest('hex')
}

function textOf(text: null | string): string {
  return text === null ? 'n' : `t${Buffer.byteLength(text)}:${text}`
}

async function insert(db: Database, rows: readonly Row[]): Promise<void> {
  await db.exec(`${TABLES.embedding_metadata.ddl}; BEGIN`)
  for (const row of rows) {
    await db.run(
      'INSERT INTO embedding_metadata (id, key, string_value, int_value, float_value) VALUES (?, ?, ?, ?, ?)',
      row,
    )
  }

  await db.exec('COMMIT')
}

const TABLES_OF_ROWS: Record<string, Row[]> = {
  'many small records': Array.from({length: 2500}, (_, i) => [
    [3 * i + 1, 'a', `text ${i} 東京`, null, null] satisfies Row,
    [3 * i + 1, 'b', null, i, null] satisfies Row,
    [3 * i + 1, 'c', null, null, i / 3] satisfies Row,
  ]).flat(),
  'no records': [],
  'records of many megabytes among small ones': Array.from({length: 40}, (_, i): Row => [
    i + 1,
    'chroma:document',
    i % 10 === 5 ? 'x'.repeat(9_000_000) : `small ${i}`,
    null,
    0.1 * i,
  ]),
}

/** Bytes that are no UTF-8, end a string in C, or look like the text around them. */
const BLOBS = [
  Buffer.from([0, 0xff, 0xc3, 0x28, 0]),
  Buffer.from('b3:abc,'),
  Buffer.alloc(0),
  Buffer.from(Array.from({length: 6000}, (_, i) => i % 256)),
]

const BLOB_TEXTS: Record<number, (blob: Buffer) => Buffer> = {
  1: (blob) => Buffer.from(blob.toString('hex').toUpperCase()),
  2: (blob) => blob,
}

describe('the checksum of a table', () => {
  for (const [title, rows] of Object.entries(TABLES_OF_ROWS)) {
    it(`is that of the format: ${title}`, async () => {
      const db = await createDatabase(join(temporaryFolder(), 'table.sqlite3'))
      try {
        await insert(db, rows)
        expect(await digestTable(db, 'embedding_metadata', FORMAT_VERSION)).to.deep.equal({
          rows: rows.length,
          sha256: expectedOf(rows),
        })
      } finally {
        await db.close()
      }
    })
  }

  for (const version of FORMAT_VERSIONS) {
    it(`is that of version ${version} of the format: bytes that are no text`, async () => {
      const db = await createDatabase(join(temporaryFolder(), 'table.sqlite3'))
      try {
        await db.exec(TABLES.max_seq_id.ddl)
        const texts = createHash('sha256')
        for (const blob of BLOBS) {
          await db.run('INSERT INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)', ['東', blob])
          texts.update(`t3:東,b${blob.length}:`)
          texts.update(BLOB_TEXTS[version]?.(blob) ?? '')
          texts.update(',')
        }

        const sha256 = createHash('sha256')
          .update(texts.digest())
          .update(createHash('sha256').digest())
          .digest('hex')
        expect(await digestTable(db, 'max_seq_id', version)).to.deep.equal({rows: BLOBS.length, sha256})
      } finally {
        await db.close()
      }
    })
  }
})
