import {expect} from 'chai'
import fc from 'fast-check'
import {copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import type {SqlValue} from '../../core/src/sqlite/database.js'

import {noise} from '../support/damage.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'
import {check, copyOfFixture} from './support.js'

/** Positions and picks are shares of what there is. */
const share = fc.double({max: 1, maxExcluded: true, min: 0, noNaN: true})

const fileDamage = fc.record({
  at: share,
  file: share,
  kind: fc.constantFrom('cut', 'empty', 'extend', 'flip', 'noise', 'swap'),
  length: fc.integer({max: 5000, min: 1}),
  other: share,
  seed: fc.integer({max: 1000, min: 0}),
})

const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constantFrom<SqlValue>(
    null,
    '',
    '{',
    '[]',
    'null',
    'x',
    0,
    -1,
    2 ** 40,
    1.5,
    -(2n ** 63n),
    2n ** 63n - 1n,
  ),
  fc.uint8Array({maxLength: 24}),
  fc.string({maxLength: 8}),
)

const rowDamage = fc.record({
  column: share,
  kind: fc.constantFrom('delete', 'repeat', 'set', 'set', 'set', 'set all'),
  row: share,
  table: share,
  value,
})

type FileDamage = typeof fileDamage extends fc.Arbitrary<infer T> ? T : never
type RowDamage = typeof rowDamage extends fc.Arbitrary<infer T> ? T : never

function pick<T>(items: readonly T[], at: number): T {
  return items[Math.floor(at * items.length)] as T
}

function damageFile(persistDir: string, {at, file, kind, length, other, seed}: FileDamage): void {
  const files = readdirSync(persistDir, {encoding: 'utf8', recursive: true})
    .map((name) => join(persistDir, name))
    .filter((path) => statSync(path).isFile())
    .sort()
  const path = pick(files, file)
  const content = readFileSync(path)
  const position = Math.floor(at * content.length)
  switch (kind) {
    case 'cut': {
      writeFileSync(path, content.subarray(0, position))
      break
    }

    case 'empty': {
      writeFileSync(path, '')
      break
    }

    case 'extend': {
      writeFileSync(path, Buffer.concat([content, noise(length, seed)]))
      break
    }

    case 'swap': {
      copyFileSync(pick(files, other), path)
      break
    }

    default: {
      const end = Math.min(content.length, position + (kind === 'flip' ? 1 : length))
      content.set(noise(end - position, seed), position)
      writeFileSync(path, content)
    }
  }
}

/** What SQLite refuses (a broken constraint) is no damage. */
async function damageRow(persistDir: string, {column, kind, row, table, value}: RowDamage): Promise<void> {
  await withDatabase(persistDir, async (db) => {
    const tables = await db.all<{name: string}>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%' ORDER BY name",
    )
    const {name} = pick(tables, table)
    const columns = await db.all<{name: string}>('SELECT name FROM pragma_table_info(?)', [name])
    const {name: own} = pick(columns, column)
    const target = `rowid = (SELECT rowid FROM "${name}" LIMIT 1 OFFSET CAST(? * (SELECT COUNT(*) FROM "${name}") AS INTEGER))`
    switch (kind) {
      case 'delete': {
        await db.run(`DELETE FROM "${name}" WHERE ${target}`, [row])
        break
      }

      case 'repeat': {
        await db.run(`INSERT INTO "${name}" SELECT * FROM "${name}" WHERE ${target}`, [row])
        break
      }

      case 'set all': {
        await db.run(`UPDATE OR IGNORE "${name}" SET "${own}" = ?`, [value])
        break
      }

      default: {
        await db.run(`UPDATE "${name}" SET "${own}" = ? WHERE ${target}`, [value, row])
      }
    }
  }).catch(() => {})
}

describe('db check of random damage', function () {
  this.timeout(120_000)

  for (const fixture of ['chroma-0.6.3', 'chroma-1.5.9'] as const) {
    it(`reports or stays silent, whatever happens to a file of ${fixture}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fileDamage, {maxLength: 2, minLength: 1}), async (damages) => {
          const persistDir = copyOfFixture(fixture)
          for (const damage of damages) damageFile(persistDir, damage)
          await expectReport(persistDir)
        }),
        {numRuns: Number(process.env.CHOPS_RUNS ?? 25)},
      )
    })

    it(`reports or stays silent, whatever happens to a row of ${fixture}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(rowDamage, {maxLength: 3, minLength: 1}), async (damages) => {
          const persistDir = copyOfFixture(fixture)
          for (const damage of damages) await damageRow(persistDir, damage)
          await expectReport(persistDir)
        }),
        {numRuns: Number(process.env.CHOPS_RUNS ?? 25)},
      )
    })
  }
})

async function expectReport(persistDir: string): Promise<void> {
  const before = fingerprint(persistDir)
  const {findings} = await check(persistDir, {allIds: true, measureReach: true})
  for (const {id, message} of findings) {
    expect(id).to.match(/^[SYMWHXP]\d+$/)
    expect(message).to.match(/\S\.$/)
  }

  expect(fingerprint(persistDir)).to.deep.equal(before)
  expect(existsSync(join(persistDir, 'chroma.sqlite3-journal'))).to.equal(false)
}
