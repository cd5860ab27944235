import {expect} from 'chai'
import {execFileSync} from 'node:child_process'
import {appendFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {hasColumn} from '../../core/src/catalog/metadata.js'
import {alarmsOf, check} from '../check/support.js'
import {overwrite} from '../support/damage.js'
import {chops} from '../support/cli.js'
import {appendLog, locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {type Engine, ENGINE_VERSIONS, engineOrSkip} from './support/engines.js'
import {copyOf, judgeBy, type Snapshot, snapshotBy, writeDirectory} from './support/judge.js'

const SPOIL = fileURLToPath(new URL('spoil.py', import.meta.url))
const NORMALISED = 1e-6
const FTS = 'embedding_fulltext_search'

/** The command finds something and repairs all of it. */
async function repair(dir: string): Promise<void> {
  const {code, stderr, stdout} = await chops(['db', 'check', dir, '--fix', '-y'])
  expect(code, `${stdout}\n${stderr}`).to.equal(0)
}

async function expectSound(engine: Engine, dir: string, expected: Snapshot): Promise<void> {
  const {problems} = await judgeBy(engine, dir, expected, {tolerance: NORMALISED})
  expect(problems).to.deep.equal([])
}

/** A position in the form that this engine does not read, and rows that its own mistakes or a kill leave behind. */
async function spoilRows(dir: string): Promise<void> {
  await withDatabase(dir, async (db) => {
    const isRust = await hasColumn(db, 'acquire_write', 'id')
    const position = `(SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection
                       WHERE s.scope = 'METADATA' AND c.name = 'inner_product')`
    const row = await db.get<{text: string}>(
      `SELECT hex(seq_id) AS text FROM max_seq_id WHERE segment_id = ${position}`,
    )
    const text = row?.text ?? ''
    const seqId = isRust ? Number(Buffer.from(text, 'hex').toString('latin1')) : Number(`0x${text}`)
    const other = Buffer.alloc(8)
    other.writeBigUInt64BE(BigInt(seqId))
    await db.run(`UPDATE max_seq_id SET seq_id = ? WHERE segment_id = ${position}`, [isRust ? other : seqId])
    if (isRust) await db.exec('DELETE FROM acquire_write')
    await db.exec("INSERT INTO embedding_metadata (id, key, int_value) VALUES (10000000, 'left', 1)")
    if (await hasColumn(db, 'embedding_metadata_array', 'id'))
      await db.exec(
        "INSERT INTO embedding_metadata_array (id, key, string_value) VALUES (10000000, 'tags', 'secret')",
      )
    await db.exec("UPDATE collections SET dimension = NULL WHERE name = 'wal_only'")
    await db.exec("DELETE FROM tenants WHERE id = 'acme'")
    await db.exec(`UPDATE ${FTS}_data SET block = zeroblob(length(block)) WHERE id > 10`)
  })
}

for (const version of ENGINE_VERSIONS) {
  describe(`a damaged directory of Chroma ${version} after db check --fix, judged by it`, () => {
    let engine: Engine
    let written: string
    let original: Snapshot

    before(async function () {
      engine = await engineOrSkip(this, version)
      written = await writeDirectory(engine, {seed: 21})
      original = await snapshotBy(engine, written)
    })

    it('has nothing to find before', async () => {
      expect(alarmsOf(await check(written))).to.deep.equal([])
    })

    it('is sound with rows, the full-text index, graphs and labels repaired', async () => {
      const dir = copyOf(written)
      await spoilRows(dir)
      const {topic} = await locate(dir, 'steady')
      await appendLog(dir, topic, [{id: 'no vector', operation: 0, vector: null}])
      appendFileSync(join((await locate(dir, 'churned')).folder, 'link_lists.bin'), Buffer.alloc(5000))
      const {folder} = await locate(dir, 'churned', 'acme')
      overwrite(join(folder, 'data_level0.bin'), 4, Buffer.of(0xf0, 0xff, 0xff, 0x7f))
      execFileSync(engine.python, [SPOIL, dir, 'default_tenant/default_database/steady', 'set-labels-back'])
      await repair(dir)
      expect(alarmsOf(await check(dir))).to.deep.equal([])
      await expectSound(engine, dir, original)
    })

    it('goes on writing after its emptied log got a row back', async () => {
      const dir = copyOf(written)
      expect((await chops(['wal', 'commit', dir, '-y'])).code).to.equal(0)
      await withDatabase(dir, (db) => db.exec('DELETE FROM embeddings_queue'))
      expect(alarmsOf(await check(dir))).to.deep.equal(['W3'])
      await repair(dir)
      await expectSound(engine, dir, original)
    })

    it('deletes a vector that no record has', async () => {
      const dir = copyOf(written)
      const owned = `(SELECT id FROM embeddings WHERE embedding_id = 'v90')`
      await withDatabase(dir, (db) =>
        db.exec(
          `DELETE FROM embedding_metadata WHERE id IN ${owned}; DELETE FROM embeddings WHERE embedding_id = 'v90'`,
        ),
      )
      expect(alarmsOf(await check(dir))).to.deep.equal(['X1'])
      await repair(dir)
      const {collections} = await snapshotBy(engine, dir)
      const found = collections.find(({name}) => name === 'inner_product')
      const before = original.collections.find(({name}) => name === 'inner_product')
      expect(found?.records.map(({id}) => id)).to.deep.equal(
        before?.records.map(({id}) => id).filter((id) => id !== 'v90'),
      )
      expect(found?.recall).to.be.greaterThan(0.9)
    })
  })
}
