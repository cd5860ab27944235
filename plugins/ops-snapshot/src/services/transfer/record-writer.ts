import {encodeSeqId, hasColumn} from '@chops/core/catalog'
import {endsTextsAtNul, FTS_TABLE, type IdRange, readFtsDefinition, storeWholeTexts} from '@chops/core/fts'
import {readLogEnd} from '@chops/core/log'
import type {PersistDir} from '@chops/core/persist-dir'
import type {ChromaRecord} from '@chops/core/records'
import type {SqlValue} from '@chops/core/sqlite'

import {insertRow} from '../insert/catalog-rows.js'
import {insertRows} from '../insert/insert-rows.js'
import {listsUnknown, metadataJson, storedEntries, valueColumns} from './stored-record.js'

const OPERATION_ADD = 0

/** Writes records into the log and into the metadata segment. */
export class RecordWriter {
  private isCut: boolean | undefined

  private constructor(
    private readonly dir: PersistDir,
    private readonly collection: {metadataId: string; topic: string},
    private readonly next: {record: number; seqId: number},
    private readonly hasArrays: boolean,
  ) {}

  static async open(dir: PersistDir, collection: {metadataId: string; topic: string}): Promise<RecordWriter> {
    const hasArrays = await hasColumn(dir.db, 'embedding_metadata_array', 'key')
    return new RecordWriter(
      dir,
      collection,
      {record: await nextRecord(dir, hasArrays), seqId: (await readLogEnd(dir)) + 1},
      hasArrays,
    )
  }

  async write(page: readonly ChromaRecord[]): Promise<void> {
    const first = this.next.record
    const log: SqlValue[][] = []
    const embeddings: SqlValue[][] = []
    const scalars: SqlValue[][] = []
    const lists: SqlValue[][] = []
    const documents: [number, string][] = []
    for (const record of page) {
      const {document, embedding, id} = record
      const row = this.next.record++
      const seqId = this.next.seqId++
      const stored = storedEntries(record)
      const bytes = embedding && new Uint8Array(embedding.buffer, embedding.byteOffset, embedding.byteLength)
      const json = stored.length === 0 ? null : metadataJson(stored)
      log.push([seqId, OPERATION_ADD, this.collection.topic, id, bytes ?? null, 'FLOAT32', json])
      embeddings.push([row, this.collection.metadataId, id, encodeSeqId(this.dir.generation, seqId)])
      if (document !== null) documents.push([row, document])
      for (const [key, value] of stored) {
        if (!Array.isArray(value)) scalars.push([row, key, ...Object.values(valueColumns(value))])
        else if (this.hasArrays)
          lists.push(...value.map((item) => [row, key, ...Object.values(valueColumns(item))]))
        else throw listsUnknown(`The metadata ${JSON.stringify(key)} of the record ${JSON.stringify(id)}`)
      }
    }

    const {db} = this.dir
    const values = ['id', 'key', 'string_value', 'int_value', 'float_value', 'bool_value']
    await insertRows(
      db,
      'embeddings_queue',
      ['seq_id', 'operation', 'topic', 'id', 'vector', 'encoding', 'metadata'],
      log,
    )
    await insertRows(db, 'embeddings', ['id', 'segment_id', 'embedding_id', 'seq_id'], embeddings)
    await insertRows(db, 'embedding_metadata', values, scalars)
    await insertRows(db, 'embedding_metadata_array', values, lists)
    await this.insertDocuments(documents, {after: first - 1, to: this.next.record - 1})
  }

  private async insertDocuments(documents: readonly [number, string][], range: IdRange): Promise<void> {
    const {db} = this.dir
    const columns = ['rowid', 'string_value']
    if (documents.every(([, text]) => !text.includes('\0')) || !(await this.cutsDocuments())) {
      await insertRows(db, FTS_TABLE, columns, documents)
      return
    }

    const indexed = documents.map(([row, text]): SqlValue[] => [row, text.split('\0', 1)[0] ?? ''])
    await insertRows(db, FTS_TABLE, columns, indexed)
    await storeWholeTexts(db, range)
  }

  /** Asked for the first document with a NUL character, before it is inserted. */
  private async cutsDocuments(): Promise<boolean> {
    if (this.isCut === undefined) {
      const {db, generation} = this.dir
      const {tokenizer} = await readFtsDefinition(db)
      this.isCut = await endsTextsAtNul(db, {engine: generation.engine, tokenizer})
    }

    return this.isCut
  }

  /** The metadata segment stands at the end of the log. */
  async finish(): Promise<void> {
    const {db, generation} = this.dir
    const seqId = encodeSeqId(generation, this.next.seqId - 1)
    await insertRow(db, 'max_seq_id', {segment_id: this.collection.metadataId, seq_id: seqId})
  }
}

/** Above every number that a row of metadata or of the full-text index has: deleted collections may leave some behind. */
async function nextRecord({db}: PersistDir, hasArrays: boolean): Promise<number> {
  const tables = ['embeddings', 'embedding_metadata', ...(hasArrays ? ['embedding_metadata_array'] : [])]
  const selects = [
    ...tables.map((table) => `SELECT MAX(id) AS id FROM ${table}`),
    `SELECT MAX(rowid) FROM ${FTS_TABLE}`,
  ]
  const row = await db.get<{id: null | number}>(`SELECT MAX(id) AS id FROM (${selects.join(' UNION ALL ')})`)
  return (row?.id ?? 0) + 1
}
