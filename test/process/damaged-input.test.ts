import {expect} from 'chai'
import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {basename, dirname, join} from 'node:path'

import {chops, chopsJson, type CliResult} from '../support/cli.js'
import {type Damage, DAMAGE} from '../support/damage.js'
import {type FixtureName, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

interface ErrorDocument {
  error: {code: string; exitCode: number; file?: string; message: string; next?: string}
}

/** One sentence that names the file and what to do, and no stack trace. */
function expectOneClearSentence({code, signal, stderr}: CliResult, file: string): void {
  expect([code, signal], stderr).to.deep.equal([4, null])
  const [sentence, next, ...rest] = stderr.trimEnd().split('\n')
  expect(sentence)
    .to.match(/^Error: .*\.$/)
    .and.to.include(file)
  expect(next).to.match(/^ {2}\S.*\.$/)
  expect(rest).to.deep.equal([])
}

/** And no result. */
function expectNothingBut(result: CliResult, file: string): void {
  expectOneClearSentence(result, file)
  expect(result.stdout).not.to.match(/Collection Data|Metric/)
}

async function churnedFolder(persistDir: string): Promise<string> {
  const segment = await withDatabase(persistDir, (db) =>
    db.get<{id: string}>(
      `SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection JOIN databases d ON d.id = c.database_id
       WHERE s.scope = 'VECTOR' AND c.name = 'churned' AND d.tenant_id = 'default_tenant'`,
    ),
  )
  return join(persistDir, segment?.id ?? '')
}

const INDEX_DAMAGE: [file: string, damages: Damage[]][] = [
  ['header.bin', ['empty', 'missing', 'noisy', 'truncated', 'cut by one byte']],
  ['data_level0.bin', ['empty', 'missing', 'noisy', 'truncated']],
  // Any bytes are valid norms of vectors that only `db check` reads: noise is not seen here.
  ['length.bin', ['empty', 'missing', 'truncated']],
  ['link_lists.bin', ['empty', 'missing', 'noisy', 'truncated', 'cut by one byte']],
  ['index_metadata.pickle', ['empty', 'missing', 'noisy', 'truncated', 'cut by one byte']],
]

describe('damaged index files', () => {
  for (const name of ['chroma-0.6.3', 'chroma-1.5.9'] as FixtureName[]) {
    for (const [file, damages] of INDEX_DAMAGE) {
      for (const damage of damages) {
        it(`${name}: ${file} ${damage}`, async () => {
          const {persistDir} = unpackFixture(name)
          const path = join(await churnedFolder(persistDir), file)
          DAMAGE[damage](path)
          const before = fingerprint(persistDir)
          const index = ['hnsw', 'info', persistDir, '-c', 'churned', '-v']
          expectNothingBut(await chops(index), file)
          const {code, json} = await chopsJson<ErrorDocument>(index)
          expect(code).to.equal(4)
          expectToMatchSchema('error', json)
          expect(json.error).to.include({code: 'damaged', exitCode: 4, file: path})
          const info = await chops(['db', 'info', persistDir])
          expectOneClearSentence(info, file)
          expect(info.stdout)
            .to.include("'defaults' Collection Data")
            .and.not.to.include(basename(dirname(path)))
          expect(fingerprint(persistDir)).to.deep.equal(before)
        })
      }
    }
  }

  it('are no matter for db info when their collection is skipped', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    DAMAGE.truncated(join(await churnedFolder(persistDir), 'header.bin'))
    const {code, stdout} = await chops(['db', 'info', persistDir, '-s', 'churned'])
    expect(code).to.equal(0)
    expect(stdout).to.include("'defaults' Collection Data")
  })

  it('are not read through a segment id that leads out of the directory', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) =>
      db.run(
        "UPDATE segments SET id = '../../etc' WHERE scope = 'VECTOR'  AND id IN (SELECT id FROM segments WHERE scope = 'VECTOR' LIMIT 1)",
      ),
    )
    const {code, stderr} = await chops(['db', 'info', persistDir])
    expect(code).to.equal(4)
    expect(stderr).to.include('not a UUID')
  })
})

describe('a pickle that would run a command', () => {
  for (const [kind, pickle] of [
    ['of protocol 0', (command: string) => Buffer.from(`cos\nsystem\n(S'${command}'\ntR.`)],
    [
      'of protocol 4',
      (command: string) =>
        Buffer.concat([
          Buffer.from([0x80, 4, 0x8c, 2]),
          Buffer.from('os'),
          Buffer.from([0x8c, 6]),
          Buffer.from('system'),
          Buffer.from([0x93, 0x8c, command.length]),
          Buffer.from(command),
          Buffer.from([0x85, 0x52, 0x2e]),
        ]),
    ],
  ] as const) {
    it(`${kind} is refused, and the command does not run`, async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const marker = join(temporaryFolder(), 'ran')
      writeFileSync(join(await churnedFolder(persistDir), 'index_metadata.pickle'), pickle(`touch ${marker}`))
      expectOneClearSentence(await chops(['db', 'info', persistDir]), 'index_metadata.pickle')
      expect(existsSync(marker)).to.equal(false)
    })
  }
})

describe('a damaged database', () => {
  for (const damage of ['empty', 'noisy', 'truncated'] as Damage[]) {
    it(`${damage}: every reading command says so`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      DAMAGE[damage](join(persistDir, 'chroma.sqlite3'))
      const before = fingerprint(persistDir)
      const commands = [
        ['db', 'info'],
        ['wal', 'info'],
        ['hnsw', 'info', '-c', 'churned'],
      ]
      for (const [topic = '', verb = '', ...flags] of commands) {
        expectNothingBut(await chops([topic, verb, persistDir, ...flags]), 'chroma.sqlite3')
      }

      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  }

  it('missing: the folder is not a Chroma directory', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    DAMAGE.missing(join(persistDir, 'chroma.sqlite3'))
    const {code, stderr} = await chops(['db', 'info', persistDir])
    expect(code).to.equal(5)
    expect(stderr).to.include('is not a Chroma persist directory')
  })

  it('of another program: names the table that is missing', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await withDatabase(persistDir, (db) => db.exec('DROP TABLE migrations'))
    expectNothingBut(await chops(['db', 'info', persistDir]), 'migrations')
  })

  it('left in the middle of a write is read from a copy, with a warning', async () => {
    const {expected, persistDir} = unpackFixture('chroma-0.6.3')
    const database = join(persistDir, 'chroma.sqlite3')
    await withDatabase(persistDir, async (db) => {
      await db.exec(
        'PRAGMA cache_size = 1; BEGIN IMMEDIATE; DELETE FROM embedding_metadata; DELETE FROM embeddings',
      )
      const torn = [readFileSync(database), readFileSync(`${database}-journal`)] as const
      await db.exec('ROLLBACK')
      await db.close()
      writeFileSync(database, torn[0])
      writeFileSync(`${database}-journal`, torn[1])
    })
    const before = fingerprint(persistDir)
    const {code, json} = await chopsJson<{collections: {records: number}[]; warnings: string[]}>([
      'db',
      'info',
      persistDir,
    ])
    expect(code).to.equal(0)
    expect(json.warnings.join(' ')).to.include('in the middle of a write')
    const records = json.collections.reduce((sum, collection) => sum + collection.records, 0)
    expect(records).to.equal(expected.collections.reduce((sum, collection) => sum + collection.count, 0))
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })
})
