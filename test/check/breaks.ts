import {appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import type {FindingId} from '../../plugins/ops-db/src/services/check/invariants.js'
import type {FixtureName} from '../support/fixtures.js'

import {decodeHeader, encodeHeader, type HnswHeader} from '../../core/src/hnsw/header-layout.js'
import {
  INDEX_METADATA_FILE,
  type IndexMetadata,
  readIndexMetadata,
} from '../../core/src/hnsw/index-metadata.js'
import {Opcode} from '../../core/src/hnsw/pickle-opcodes.js'
import {overwrite} from '../support/damage.js'
import {FULL_TEXT_DAMAGE, giveNulDocuments} from '../support/full-text.js'
import {appendLog, appendManyAdds, locate, type Located, markDeleted} from '../support/segments.js'
import {renameTopics, withDatabase} from '../support/sql.js'

/** One way to break a directory, and all that has to be found above information. */
export interface Break {
  apply: (persistDir: string) => Promise<void>
  /** A fixture in which it can happen; Chroma 1.5.9 unless given. */
  fixture?: FixtureName
  finds: FindingId[]
  /** Found as information: shapes that cost space or say something, and alarm nobody. */
  informs?: FindingId[]
  name: string
  /** Of what was found, what --fix cannot repair. */
  remains?: FindingId[]
}

const FTS = 'embedding_fulltext_search'
const NOWHERE = '00000000-0000-4000-8000-000000000000'
const NAN = Buffer.from(new Float32Array([Number.NaN]).buffer)

function sql(...statements: string[]): (persistDir: string) => Promise<void> {
  return (persistDir) =>
    withDatabase(persistDir, async (db) => {
      for (const statement of statements) await db.exec(statement)
    })
}

/** The id of a segment of a collection, for SQL. */
function segment(scope: 'METADATA' | 'VECTOR', name: string, tenant = 'default_tenant'): string {
  return `(SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection JOIN databases d ON d.id = c.database_id
           WHERE s.scope = '${scope}' AND c.name = '${name}' AND d.tenant_id = '${tenant}')`
}

function topic(name: string, tenant = 'default_tenant'): string {
  return `(SELECT 'persistent://default/default/' || c.id FROM collections c JOIN databases d ON d.id = c.database_id
           WHERE c.name = '${name}' AND d.tenant_id = '${tenant}')`
}

/** Changes the files of the index of a collection; one of another tenant has nothing pending. */
function files(change: (churned: Located) => Promise<void> | void, tenant = 'default_tenant') {
  return async (persistDir: string): Promise<void> => change(await locate(persistDir, 'churned', tenant))
}

function header(change: (header: HnswHeader) => void) {
  return files(({folder}) => {
    const path = join(folder, 'header.bin')
    const fields = decodeHeader(readFileSync(path))
    change(fields)
    writeFileSync(path, encodeHeader(fields))
  })
}

/** Writes index_metadata.pickle anew as a dict, whatever sense its content makes. */
export async function rewriteMetadata(
  folder: string,
  change: (metadata: IndexMetadata & {labelToIdEntries: [number, string][]}) => void,
): Promise<void> {
  const file = join(folder, INDEX_METADATA_FILE)
  const metadata = await readIndexMetadata(file, {ids: true})
  const labelToIdEntries = [...metadata.idToLabel].map(([id, label]): [number, string] => [label, id])
  const changed = {...metadata, labelToIdEntries}
  change(changed)
  writeFileSync(
    file,
    Buffer.concat([
      Buffer.of(Opcode.PROTO, 3, Opcode.EMPTY_DICT, Opcode.MARK),
      text('dimensionality'),
      Buffer.of(Opcode.NONE),
      text('total_elements_added'),
      integer(changed.totalElementsAdded),
      text('max_seq_id'),
      changed.maxSeqId ? integer(changed.maxSeqId) : Buffer.of(Opcode.NONE),
      text('id_to_label'),
      dict([...changed.idToLabel].flatMap(([id, label]) => [text(id), integer(label)])),

      text('label_to_id'),
      dict(changed.labelToIdEntries.flatMap(([label, id]) => [integer(label), text(id)])),
      text('id_to_seq_id'),
      dict([]),
      Buffer.of(Opcode.SETITEMS, Opcode.STOP),
    ]),
  )
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return Buffer.concat([Buffer.of(Opcode.BINUNICODE), length, bytes])
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes[0] = Opcode.BININT
  bytes.writeInt32LE(value, 1)
  return bytes
}

function dict(entries: Buffer[]): Buffer {
  const items = entries.length > 0 ? [Buffer.of(Opcode.MARK), ...entries, Buffer.of(Opcode.SETITEMS)] : []
  return Buffer.concat([Buffer.of(Opcode.EMPTY_DICT), ...items])
}

/** An index over metadata that a row is missing from: its condition is changed while the row is added. */
async function leaveOutOfIndex(persistDir: string): Promise<void> {
  const condition = async (from: string, to: string): Promise<void> =>
    withDatabase(persistDir, async (db) => {
      await db.exec('PRAGMA writable_schema = ON')
      await db.run('UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ?', [
        from,
        to,
        'embedding_metadata_int_value',
      ])
      await db.exec('PRAGMA writable_schema = OFF')
    })
  await condition('int_value IS NOT NULL', 'int_value IS NULL')
  await withDatabase(persistDir, (db) =>
    db.exec(
      `INSERT INTO embedding_metadata (id, key, int_value) SELECT MIN(id), 'added', 7 FROM embeddings
       WHERE segment_id = ${segment('METADATA', 'churned')}`,
    ),
  )
  await condition('int_value IS NULL', 'int_value IS NOT NULL')
}

export const BREAKS: Break[] = [
  {apply: leaveOutOfIndex, finds: ['S1'], name: 'a row is missing from an index of a table'},
  {
    apply: sql(`UPDATE ${FTS}_data SET block = zeroblob(length(block)) WHERE id > 10`),
    finds: ['S2'],
    informs: ['M7'],
    name: 'the full-text index was overwritten',
  },
  {
    apply: sql("UPDATE migrations SET hash = '0123456789abcdef' WHERE dir = 'sysdb' AND version = 3"),
    finds: ['S3'],
    name: 'a migration has another hash',
    remains: ['S3'],
  },
  {
    apply: sql("INSERT INTO migrations VALUES ('sysdb', 11, '00011-future.sqlite.sql', '', 'ff')"),
    finds: [],
    informs: ['S3'],
    name: 'a newer Chroma migrated it',
  },
  {apply: sql('DROP TABLE maintenance_log'), finds: ['S4'], name: 'a table is missing', remains: ['S4']},
  {
    async apply(persistDir) {
      await withDatabase(persistDir, (db) => giveNulDocuments(db))
      await FULL_TEXT_DAMAGE['a shadow table of noise']?.(persistDir)
    },
    finds: ['S2'],
    informs: ['M7'],
    name: 'documents have a NUL character and the full-text index is noise',
  },
  {apply: sql(`DROP TABLE ${FTS}`), finds: ['S4'], name: 'the full-text table is missing'},
  {apply: sql('DELETE FROM acquire_write'), finds: ['S6'], name: 'the write lock of 1.x lost its row'},
  {
    apply: sql(
      `INSERT INTO segments VALUES ('${NOWHERE}', 'urn:chroma:segment/metadata/sqlite', 'METADATA', '${NOWHERE}')`,
    ),
    finds: ['Y1'],
    name: 'a segment of no collection',
  },
  {
    apply: sql(`DELETE FROM segments WHERE id = ${segment('METADATA', 'inner_product')}`),
    finds: ['Y2'],
    informs: ['M1', 'Y4'],
    name: 'a collection without its METADATA segment',
    remains: ['Y2'],
  },
  {
    apply: sql(
      `UPDATE segments SET collection = '${NOWHERE}' WHERE id = ${segment('METADATA', 'inner_product')}`,
    ),
    finds: ['Y1', 'Y2'],
    name: 'a METADATA segment that lost its collection',
    remains: ['Y1', 'Y2'],
  },
  {
    apply: renameTopics,
    finds: [],
    fixture: 'chroma-0.6.3',
    name: 'Chroma was told another topic_namespace',
  },
  {apply: sql("DELETE FROM databases WHERE name = 'prod'"), finds: ['Y3'], name: 'a database is missing'},
  {apply: sql("DELETE FROM tenants WHERE id = 'acme'"), finds: ['Y3'], name: 'a tenant is missing'},
  {
    apply: sql(`INSERT INTO max_seq_id VALUES ('${NOWHERE}', 5)`),
    finds: [],
    informs: ['Y4'],
    name: 'a log position of no segment',
  },
  {
    apply: sql("UPDATE collections SET schema_str = '{' WHERE name = 'odd-name_1'"),
    finds: ['Y5'],
    name: 'a configuration that is not JSON',
    remains: ['Y5'],
  },
  {
    apply: sql("UPDATE collections SET dimension = NULL WHERE name = 'wal_only'"),
    finds: ['Y6'],
    name: 'records without a dimension',
  },
  {
    apply: sql(
      `UPDATE collections SET schema_str = NULL, config_json_str =
         '{"vector_index":{"hnsw":{"space":"cosine","max_neighbors":8,"ef_construction":80,"ef_search":77}}}'
       WHERE id = (SELECT collection FROM segments WHERE id = ${segment('VECTOR', 'churned')})`,
    ),
    finds: ['Y7'],
    fixture: 'chroma-0.6.3-then-1.5.9',
    name: 'parameters of an older engine that say something else',
  },
  {
    apply: sql(`INSERT INTO embeddings (segment_id, embedding_id, seq_id) VALUES ('${NOWHERE}', 'gone', 1)`),
    finds: [],
    informs: ['M1'],
    name: 'a record of no segment',
  },
  {
    apply: sql("INSERT INTO embedding_metadata (id, key, int_value) VALUES (1000000, 'left', 1)"),
    finds: ['M2'],
    name: 'metadata of a record that is gone',
  },
  {
    apply: sql(
      "INSERT INTO embedding_metadata_array (id, key, string_value) VALUES (1000000, 'tags', 'secret')",
    ),
    finds: ['M3'],
    name: 'array metadata of a record that is gone',
  },
  {
    apply: sql(
      `INSERT INTO embedding_metadata_array (id, key, int_value)
       SELECT id, key, 1 FROM embedding_metadata WHERE int_value IS NOT NULL ORDER BY id LIMIT 1`,
    ),
    finds: ['M4'],
    name: 'a key with a value and an array',
    remains: ['M4'],
  },
  {
    apply: sql(
      `UPDATE embedding_metadata SET string_value = 'another text' WHERE rowid =
         (SELECT rowid FROM embedding_metadata WHERE key = 'chroma:document' ORDER BY id LIMIT 1)`,
    ),
    finds: ['M5'],
    informs: ['M7'],
    name: 'a document that the full-text table has otherwise',
  },
  {
    apply: sql(`INSERT INTO ${FTS} (rowid, string_value) VALUES (1000000, 'left behind')`),
    finds: [],
    informs: ['M5'],
    name: 'a text of a deleted record',
  },
  {
    apply: sql(
      `DELETE FROM ${FTS}`,
      `INSERT INTO ${FTS} (rowid, string_value)
       SELECT rowid, string_value FROM embedding_metadata WHERE key = 'chroma:document'`,
    ),
    finds: ['M6'],
    name: 'full-text rows numbered like metadata rows',
  },
  {
    apply: sql(
      `DROP TABLE ${FTS}`,
      `CREATE VIRTUAL TABLE ${FTS} USING fts5(string_value, tokenize = 'unicode61')`,
      `INSERT INTO ${FTS} (rowid, string_value)
       SELECT id, string_value FROM embedding_metadata WHERE key = 'chroma:document'`,
    ),
    finds: [],
    informs: ['M8'],
    name: 'another tokenizer',
  },
  {
    apply: sql(
      "UPDATE embeddings SET seq_id = X'0000000000000001' WHERE id = (SELECT MIN(id) FROM embeddings)",
    ),
    finds: [],
    informs: ['M9'],
    name: 'log positions of records in two forms',
  },
  {
    apply: sql(
      `UPDATE max_seq_id SET seq_id = X'00000000000001A4' WHERE segment_id = ${segment('METADATA', 'churned')}`,
    ),
    finds: ['W1'],
    name: 'a log position in the form of an older engine',
  },
  {
    apply: sql(`UPDATE max_seq_id SET seq_id = 420 WHERE segment_id = ${segment('METADATA', 'churned')}`),
    finds: ['W1'],
    fixture: 'chroma-0.6.3',
    name: 'a log position in the form of a newer engine',
  },
  {
    // 420 as the migration reads it.
    apply: sql(
      `UPDATE max_seq_id SET seq_id = 1229782938249605680
       WHERE segment_id = ${segment('METADATA', 'churned')}`,
    ),
    finds: ['W2'],
    name: 'a log position that the migration made huge',
  },
  {
    apply: sql(`DELETE FROM embeddings_queue WHERE topic = ${topic('churned', 'acme')}`),
    finds: ['W3'],
    name: 'the log lost its last row',
  },
  {
    apply: sql(
      `INSERT INTO embeddings_queue (seq_id, operation, topic, id)
       VALUES (10, 3, 'persistent://default/default/${NOWHERE}', 'gone')`,
    ),
    finds: [],
    informs: ['W4'],
    name: 'log rows of a deleted collection',
  },
  {
    async apply(persistDir) {
      const {topic: own} = await locate(persistDir, 'defaults')
      await appendManyAdds(persistDir, own, 700, 8)
    },
    finds: ['W6'],
    name: 'more waiting rows than Chroma lets wait',
  },
  {
    apply: sql(
      `UPDATE max_seq_id SET seq_id = 390 WHERE segment_id = ${segment('METADATA', 'churned')}`,
      `DELETE FROM embeddings_queue WHERE seq_id = 400`,
    ),
    finds: ['W7'],
    name: 'vectors ahead of records, and the log gone between them',
    remains: ['W7'],
  },
  {
    async apply(persistDir) {
      const {topic: own} = await locate(persistDir, 'inner_product')
      await appendLog(persistDir, own, [{id: 'new', operation: 0, vector: null}])
    },
    finds: ['W8'],
    name: 'a log row that adds a record without a vector',
  },
  {
    async apply(persistDir) {
      const {topic: own} = await locate(persistDir, 'inner_product')
      await appendLog(persistDir, own, [
        {id: 'ip1', metadata: '{"n": NaN}', operation: 1, vector: new Float32Array(8)},
      ])
      await sql(
        `UPDATE max_seq_id SET seq_id = (SELECT MAX(seq_id) FROM embeddings_queue) WHERE segment_id = ${segment('METADATA', 'inner_product')}`,
      )(persistDir)
    },
    finds: ['W8'],
    name: 'a log row of a Python engine whose metadata has a NaN',
  },
  {
    apply: sql("UPDATE embeddings_queue_config SET config_json_str = '{'"),
    finds: ['W9'],
    name: 'a configuration of the log that is not JSON',
  },
  {
    async apply(persistDir) {
      const {folder} = await locate(persistDir, 'inner_product')
      await rewriteMetadata(folder, (metadata) => {
        metadata.maxSeqId = 536
      })
      await sql(`DELETE FROM max_seq_id WHERE segment_id = ${segment('VECTOR', 'inner_product')}`)(persistDir)
    },
    finds: ['W10'],
    fixture: 'chroma-0.5.5-then-1.0.16',
    name: 'a log position in the pickle only',
  },
  {
    apply: files(({folder}) => rmSync(folder, {recursive: true})),
    finds: ['H1', 'X1'],
    informs: ['X2'],
    name: 'the folder of an index is gone',
    remains: ['H1', 'X1'],
  },
  {
    apply: sql('PRAGMA journal_mode = WAL'),
    finds: [],
    informs: ['S7'],
    name: 'a journal mode that Chroma does not use',
  },
  {
    async apply(persistDir) {
      mkdirSync(join(persistDir, NOWHERE))
      writeFileSync(join(persistDir, NOWHERE, 'header.bin'), '')
    },
    finds: [],
    informs: ['H2'],
    name: 'a folder of no segment',
  },
  {
    apply: files(({folder}) => rmSync(join(folder, 'length.bin'))),
    finds: ['H3'],
    name: 'a file of an index is missing',
    remains: ['H3'],
  },
  {
    apply: header((fields) => {
      fields.maxM0 += 1
    }),
    finds: ['H4'],
    informs: ['X2'],
    name: 'a header that contradicts itself',
    remains: ['H4'],
  },
  {
    apply: files(({folder}) => truncateSync(join(folder, 'data_level0.bin'), 2000)),
    finds: ['H5'],
    informs: ['X2'],
    name: 'a file that is shorter than the header says',
    remains: ['H5'],
  },
  {
    apply: sql(
      `UPDATE collections SET dimension = 9 WHERE id =
         (SELECT collection FROM segments WHERE id = ${segment('VECTOR', 'churned', 'acme')})`,
    ),
    finds: ['H6'],
    name: 'vectors of another dimension than the collection',
    remains: ['H6'],
  },
  {
    apply: sql(
      `UPDATE collections SET schema_str = replace(schema_str, '"max_neighbors":8', '"max_neighbors":10')`,
    ),
    finds: [],
    informs: ['H7'],
    name: 'an index built with another M than is configured',
  },
  {
    apply: files(({folder}) => truncateSync(join(folder, INDEX_METADATA_FILE), 1000)),
    finds: ['H8'],
    informs: ['X2'],
    name: 'a truncated id map',
    remains: ['H8'],
  },
  {
    apply: files(({folder}) => appendFileSync(join(folder, 'link_lists.bin'), Buffer.alloc(4096))),
    finds: ['H9'],
    name: 'a link_lists.bin that has run away',
  },
  {
    apply: files(({folder}) => truncateSync(join(folder, 'link_lists.bin'), 1000)),
    finds: ['H9'],
    name: 'a link_lists.bin that is cut',
  },
  {
    apply: files(({folder}) =>
      overwrite(join(folder, 'data_level0.bin'), 4, Buffer.of(0xf0, 0xff, 0xff, 0x7f)),
    ),
    finds: ['H10'],
    name: 'a link out of the index',
  },
  {
    apply: header((fields) => {
      fields.enterpoint = fields.enterpoint === 0 ? 1 : 0
    }),
    finds: ['H11'],
    name: 'an entry point of a lower level',
  },
  {
    apply: files(async ({folder}) => {
      const {labelOffset, sizeDataPerElement} = decodeHeader(readFileSync(join(folder, 'header.bin')))
      const data = readFileSync(join(folder, 'data_level0.bin'))
      const first = data.subarray(labelOffset, labelOffset + 8)
      overwrite(join(folder, 'data_level0.bin'), sizeDataPerElement + labelOffset, Uint8Array.from(first))
    }, 'acme'),
    finds: ['H12', 'H13', 'X1'],
    informs: ['X2'],
    name: 'a label twice',
    remains: ['H12', 'H13', 'X1'],
  },
  {
    apply: files(({folder}) => markDeleted(folder, 5), 'acme'),
    finds: ['H13', 'X1'],
    informs: ['X2'],
    name: 'an id whose vector is deleted',
    remains: ['H13', 'X1'],
  },
  {
    apply: files(
      ({folder}) =>
        rewriteMetadata(folder, ({labelToIdEntries: [first, second]}) => {
          if (first && second) [first[1], second[1]] = [second[1], first[1]]
        }),
      'acme',
    ),
    finds: ['H14'],
    name: 'labels that lead to other ids',
  },
  {
    apply: files(
      ({folder}) =>
        rewriteMetadata(folder, ({idToLabel, labelToIdEntries: [first, second]}) => {
          if (!first || !second) return
          idToLabel.set(second[1], first[0])
          second[0] = first[0]
        }),
      'acme',
    ),
    finds: ['H13', 'H14'],
    name: 'two ids with one label',
    remains: ['H13', 'H14'],
  },
  {
    apply: files(
      ({folder}) =>
        rewriteMetadata(folder, (metadata) => {
          metadata.totalElementsAdded = 10
        }),
      'acme',
    ),
    finds: ['H15'],
    name: 'new vectors would land on old ones',
  },
  {
    apply: files(({folder}) => {
      const {offsetData, sizeDataPerElement} = decodeHeader(readFileSync(join(folder, 'header.bin')))
      overwrite(join(folder, 'data_level0.bin'), 7 * sizeDataPerElement + offsetData, NAN)
    }),
    finds: ['H16'],
    name: 'a vector that is not a number',
    remains: ['H16'],
  },
  {
    apply: files(({folder}) => overwrite(join(folder, 'length.bin'), 0, Buffer.alloc(240))),
    finds: ['H16'],
    name: 'norms that were overwritten with zeros',
    remains: ['H16'],
  },
  {
    apply: sql(`DELETE FROM embeddings_queue WHERE seq_id =
       (SELECT seq_id FROM embeddings_queue WHERE topic = ${topic('wal_only')} AND operation = 0 LIMIT 1)`),
    finds: ['X1'],
    informs: ['X2'],
    name: 'a record whose vector left the log too early',
    remains: ['X1'],
  },
  {
    apply: sql(
      `DELETE FROM ${FTS} WHERE rowid IN (SELECT id FROM embeddings WHERE embedding_id = 'v7')`,
      `DELETE FROM embedding_metadata WHERE id IN (SELECT id FROM embeddings WHERE embedding_id = 'v7')`,
      `DELETE FROM embedding_metadata_array WHERE id IN (SELECT id FROM embeddings WHERE embedding_id = 'v7')`,
      `DELETE FROM embeddings WHERE embedding_id = 'v7'`,
    ),
    finds: ['X1'],
    name: 'a vector that no record has',
  },
]
