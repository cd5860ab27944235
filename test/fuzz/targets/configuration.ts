import {equal} from 'node:assert/strict'

import type {Generation} from '../../../core/src/persist-dir/generation.js'
import type {PersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import type {SqlValue} from '../../../core/src/sqlite/database.js'

import {type HnswParameters, readHnswParameters} from '../../../core/src/catalog/hnsw-parameters.js'
import {type Metadata, readMetadata} from '../../../core/src/catalog/metadata.js'
import {decodeSeqId} from '../../../core/src/catalog/seq-id.js'
import {readPurgeMode} from '../../../core/src/log/purge-mode.js'
import {openPersistDir} from '../../../core/src/persist-dir/persist-dir.js'
import {unpackFixture} from '../../support/fixtures.js'
import {CellReader, databaseOf, encodeCell, outcome} from '../support.js'

const NEW = {engine: 'rust', releases: '1.5', schema: {embeddingsQueue: 2, metadb: 6, sysdb: 10}} as const
const OLD = {engine: 'python', releases: '0.6', schema: {embeddingsQueue: 2, metadb: 4, sysdb: 9}} as const
const SPACES: ReadonlySet<string> = new Set(['cosine', 'ip', 'l2'])
/**
 * What the system tables say about a collection: `config_json_str`, `schema_str`, a row of metadata, a seq id. Parameters
 * that are accepted can be used as they are.
 */
export async function fuzz(data: Buffer): Promise<void> {
  const cells = new CellReader(data)
  const generation: Generation = cells.byte() % 2 === 0 ? NEW : OLD
  const [configJson, schemaJson] = [asText(cells.next()), asText(cells.next())]
  const row = {
    key: asText(cells.next()) ?? '',
    str_value: asText(cells.next()),
    int_value: asText(cells.next()),
    float_value: asReal(cells.next()),
    bool_value: cells.next(),
    owner: 'o',
  }
  const metadata = (await outcome(() => readMetadata(databaseOf([row]), 'segment_metadata')))?.get('o')
  for (const value of Object.values(metadata ?? {})) equal(typeof value === 'object' && value !== null, false)
  const seqId = await outcome(() => decodeSeqId(asText(cells.next())))
  equal(seqId === undefined || Number.isInteger(seqId), true, `the seq id is ${seqId}`)

  const dir = {
    databaseFile: 'chroma.sqlite3',
    db: databaseOf([{config_json_str: configJson, id: 1}]),
    generation,
  }
  await outcome(() => readPurgeMode(dir as unknown as PersistDir))
  await expectUsable(generation, configJson, schemaJson, metadata)
}

async function expectUsable(
  generation: Generation,
  configJson: null | string,
  schemaJson: null | string,
  segmentMetadata: Metadata = {},
): Promise<void> {
  const sources = {configJson, schemaJson, segmentMetadata}
  const parameters = await outcome(() => readHnswParameters(generation, sources, 'fuzzed'))
  if (!parameters) return
  const {resizeFactor, space, ...numbers} = parameters
  equal(SPACES.has(space), true, `the space is ${space}`)
  equal(Number.isFinite(resizeFactor), true, `resizeFactor is ${resizeFactor}`)
  for (const [name, value] of Object.entries(numbers) as [keyof HnswParameters, unknown][]) {
    equal(Number.isSafeInteger(value), true, `${name} is ${value}`)
  }
}

export async function* seeds(): AsyncGenerator<[string, Buffer]> {
  for (const fixture of ['chroma-0.5.23', 'chroma-1.0.16', 'chroma-1.5.9'] as const) {
    const dir = await openPersistDir(unpackFixture(fixture).persistDir)
    const schema = fixture === 'chroma-1.5.9' ? 'schema_str' : 'NULL'
    const rows = await dir.db.all<{config: null | string; schema: null | string}>(
      `SELECT config_json_str AS config, ${schema} AS schema FROM collections ORDER BY name LIMIT 2`,
    )
    await dir.close()
    for (const [index, {config, schema}] of rows.entries()) {
      const texts = [config, schema].map((text) => encodeCell(text))
      const cells = ['hnsw:M', null, 16, null, null, 'x0102'].map((value) => encodeCell(value))
      const engine = dir.generation.engine === 'rust' ? 0 : 1
      yield [`${fixture}-${index}`, Buffer.concat([Buffer.of(engine), ...texts, ...cells])]
    }
  }
}

/** What a column is that SQL casts. */
function asText(value: SqlValue): null | string {
  return value === null ? null : String(value)
}

function asReal(value: SqlValue): null | number {
  const real = value === null ? null : Number(value)
  return Number.isNaN(real) ? 0 : real
}
