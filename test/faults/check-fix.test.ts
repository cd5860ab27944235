import {expect} from 'chai'
import {appendFileSync} from 'node:fs'
import {join} from 'node:path'

import {explorePoints, type Visit} from '../support/faults/explore.js'
import {FAULT_KINDS} from '../support/faults/faulted-run.js'
import {databaseProblems} from '../support/faults/database-state.js'
import {type FixtureName, unpackFixture} from '../support/fixtures.js'
import {appendLog, locate} from '../support/segments.js'
import {withDatabase} from '../support/sql.js'
import {alarmsOf, check} from '../check/support.js'

const FTS = 'embedding_fulltext_search'
/** Runs in the short sample. */
const SAMPLE = 3
const full = process.env.CHOPS_FAULTS === 'full'

/** Something for every kind of repair, without a loss. */
async function spoil(persistDir: string): Promise<void> {
  const {topic} = await locate(persistDir, 'inner_product')
  await appendLog(persistDir, topic, [{id: 'no vector', operation: 0, vector: null}])
  appendFileSync(
    join((await locate(persistDir, 'churned', 'acme')).folder, 'link_lists.bin'),
    Buffer.alloc(4096),
  )
  await withDatabase(persistDir, async (db) => {
    await db.exec("INSERT INTO embedding_metadata (id, key, int_value) VALUES (10000000, 'left', 1)")
    await db.exec("UPDATE collections SET dimension = NULL WHERE name = 'wal_only'")
    await db.exec(`UPDATE ${FTS}_data SET block = zeroblob(length(block)) WHERE id > 10`)
  })
}

describe('db check --fix that is killed or meets a fault', function () {
  this.timeout(full ? 3_600_000 : 120_000)

  const fixtures: FixtureName[] = full ? ['chroma-0.4.24', 'chroma-0.6.3', 'chroma-1.5.9'] : ['chroma-1.5.9']
  for (const fixture of fixtures) {
    it(`loses no record and breaks nothing, and can be run again (${fixture})`, async () => {
      const {persistDir} = unpackFixture(fixture)
      await spoil(persistDir)
      const before = await check(persistDir)
      const known = alarmsOf(before)
      const vectors = ledgerOf(before)
      const knownToSqlite = await withDatabase(persistDir, (db) => databaseProblems(db))

      async function problems(dir: string, {ending}: Visit): Promise<string[]> {
        // Opens the directory as Chroma would, which takes an unfinished write back.
        const sqlite = await withDatabase(dir, (db) => databaseProblems(db))
        const after = await check(dir)
        const found = alarmsOf(after)
        return [
          ...sqlite.filter((problem) => !/full-text|fts5/i.test(problem) && !knownToSqlite.includes(problem)),
          ...found.filter((id) => !known.includes(id)).map((id) => `${id} is new`),
          ...(ending === 'done' ? found.map((id) => `${id} is left`) : []),
          ...(ledgerOf(after) === vectors ? [] : [`the vectors differ: ${ledgerOf(after)}`]),
        ]
      }

      const {points, runs} = await explorePoints({
        args: (dir) => ['db', 'check', dir, '--fix', '--yes'],
        check: problems,
        kinds: FAULT_KINDS,
        prepare: () => persistDir,
        ...(!full && {atMost: SAMPLE, only: ({changes, detail}) => changes && !detail.startsWith('PRAGMA')}),
      })
      expect(points.some(({changes}) => changes)).to.equal(true)
      expect(runs).to.be.greaterThan(1)
    })
  }
})

/** How many records there are, and how many of them have no vector. */
function ledgerOf({ledger}: Awaited<ReturnType<typeof check>>): string {
  return ledger.map(({lost, name, records}) => `${name} ${records}/${lost}`).join(', ')
}
