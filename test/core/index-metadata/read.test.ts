import {expect} from 'chai'
import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

import {
  INDEX_METADATA_FILE,
  type IndexMetadata,
  indexMetadataProblems,
  readIndexMetadata,
} from '../../../core/src/hnsw/index-metadata.js'
import {FIXTURES, unpackFixture} from '../../support/fixtures.js'
import {withDatabase} from '../../support/sql.js'

interface VectorSegment {
  collection: string
  id: string
  maxSeqId: null | number | string
}

interface LogRow {
  id: string
  operation: number
}

const DELETE = 3
const UPDATE = 1

/** The labels of the elements that are not marked as deleted, read straight from level 0. */
function liveLabels(folder: string): Set<number> {
  const header = readFileSync(join(folder, 'header.bin'))
  const count = Number(header.readBigUInt64LE(20))
  const size = Number(header.readBigUInt64LE(28))
  const labelOffset = Number(header.readBigUInt64LE(36))
  const rows = readFileSync(join(folder, 'data_level0.bin'))
  const labels = new Set<number>()
  for (let at = 0; at < count * size; at += size) {
    if (((rows[at + 2] ?? 0) & 1) === 0) labels.add(Number(rows.readBigUInt64LE(at + labelOffset)))
  }

  return labels
}

async function segmentsWithMetadata(persistDir: string): Promise<VectorSegment[]> {
  const segments = await withDatabase(persistDir, (db) =>
    db.all<VectorSegment>(
      `SELECT s.id, s.collection, CASE typeof(m.seq_id) WHEN 'blob' THEN '0x' || hex(m.seq_id) ELSE m.seq_id END AS maxSeqId
       FROM segments s LEFT JOIN max_seq_id m ON m.segment_id = s.id WHERE s.scope = 'VECTOR'`,
    ),
  )
  return segments.filter(({id}) => existsSync(join(persistDir, id, INDEX_METADATA_FILE)))
}

/** The ids the collection has once the log records the index does not hold yet are applied to it. */
async function idsWithLog(
  persistDir: string,
  segment: VectorSegment,
  metadata: IndexMetadata,
): Promise<Set<string>> {
  const committed = Number(segment.maxSeqId ?? metadata.maxSeqId ?? 0)
  const pending = await withDatabase(persistDir, (db) =>
    db.all<LogRow>(
      'SELECT id, operation FROM embeddings_queue WHERE seq_id > ? AND topic LIKE ? ORDER BY seq_id',
      [committed, `%${segment.collection}`],
    ),
  )
  const ids = new Set(metadata.idToLabel.keys())
  for (const {id, operation} of pending) {
    if (operation === DELETE) ids.delete(id)
    else if (operation !== UPDATE) ids.add(id)
  }

  return ids
}

describe('reading index_metadata.pickle', () => {
  for (const fixture of FIXTURES) {
    it(`knows every id and label that ${fixture} wrote`, async () => {
      const {expected, persistDir} = unpackFixture(fixture)
      const segments = await segmentsWithMetadata(persistDir)
      expect(segments).to.have.length.greaterThan(2)
      for (const segment of segments) {
        const file = join(persistDir, segment.id, INDEX_METADATA_FILE)
        const summary = await readIndexMetadata(file, {ids: false})
        const full = await readIndexMetadata(file, {ids: true})
        const collection = expected.collections.find(({id}) => id === segment.collection)
        const recordIds = collection?.records.map(({id}) => id)
        expect(await idsWithLog(persistDir, segment, full)).to.deep.equal(new Set(recordIds))

        const live = liveLabels(join(persistDir, segment.id))
        expect(new Set(full.idToLabel.values())).to.deep.equal(live)
        expect(summary.labelCount).to.equal(live.size)
        const labels = Array.from({length: full.totalElementsAdded + 2}, (_, label) => label)
        expect(labels.filter((label) => summary.labels.has(label))).to.have.members([...live])

        const {labelCount, labels: set, ...shared} = summary
        expect(full).to.deep.include(shared)
        expect(set.max).to.equal(Math.max(...live))
        expect(labelCount).to.equal(full.idToLabel.size)
        expect(indexMetadataProblems(full)).to.deep.equal([])
      }
    })
  }

  const forms = [
    {counters: {dimensionality: 8, maxSeqId: 'number'}, fixture: 'chroma-0.4.24', form: 'PersistentData'},
    {counters: {dimensionality: 8, maxSeqId: 'number'}, fixture: 'chroma-0.5.5', form: 'PersistentData'},
    {counters: {dimensionality: 8, maxSeqId: 'undefined'}, fixture: 'chroma-0.5.23', form: 'PersistentData'},
    {counters: {dimensionality: 8, maxSeqId: 'undefined'}, fixture: 'chroma-0.6.3', form: 'PersistentData'},
    {counters: {dimensionality: null, maxSeqId: 'null'}, fixture: 'chroma-1.0.16', form: 'dict'},
    {counters: {dimensionality: null, maxSeqId: 'null'}, fixture: 'chroma-1.5.9', form: 'dict'},
    {counters: {dimensionality: 8, maxSeqId: 'number'}, fixture: 'chroma-0.4.24-then-1.5.9', form: 'dict'},
    {counters: {dimensionality: 8, maxSeqId: 'number'}, fixture: 'chroma-0.5.5-then-1.0.16', form: 'dict'},
    {
      counters: {dimensionality: 8, maxSeqId: 'undefined'},
      fixture: 'chroma-0.6.3-then-1.5.9',
      form: 'PersistentData',
    },
  ] as const
  for (const {counters, fixture, form} of forms) {
    it(`finds a ${form} with the counters of its engine in ${fixture}`, async () => {
      const {persistDir} = unpackFixture(fixture)
      for (const {id} of await segmentsWithMetadata(persistDir)) {
        const summary = await readIndexMetadata(join(persistDir, id, INDEX_METADATA_FILE), {ids: false})
        const {dimensionality, maxSeqId} = summary
        expect(summary.form).to.equal(form)
        expect({dimensionality, maxSeqId: maxSeqId === null ? 'null' : typeof maxSeqId}).to.deep.equal(
          counters,
        )
        expect(summary.totalElementsAdded).to.be.at.least(summary.labelCount)
      }
    })
  }
})
