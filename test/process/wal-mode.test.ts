import {expect} from 'chai'
import {existsSync} from 'node:fs'
import {join} from 'node:path'

import type {Database} from '../../core/src/sqlite/database.js'

import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {chopsJson} from '../support/cli.js'
import {COPIES} from '../support/copies.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

/** Somebody has set `chroma.sqlite3` to WAL mode, where a reader's lock keeps nobody from committing. */
async function inWalMode<T>(work: (persistDir: string, writer: Database) => Promise<T>): Promise<T> {
  const {persistDir} = unpackFixture('chroma-1.5.9')
  return withDatabase(persistDir, async (writer) => {
    await writer.exec('PRAGMA journal_mode = WAL; UPDATE embedding_metadata SET float_value = 1 WHERE id = 1')
    return work(persistDir, writer)
  })
}

describe('a database in WAL mode', () => {
  it('is read with what is in its log, and is nothing that a killed process left', async () => {
    await inWalMode(async (persistDir) => {
      const before = fingerprint(persistDir)
      const {json} = await chopsJson<{findings: {id: string; severity: string}[]; warnings: string[]}>([
        'db',
        'check',
        persistDir,
      ])
      expect(json.findings.filter(({id}) => id === 'S7').map(({severity}) => severity)).to.deep.equal(['I'])
      expect(json.warnings.join(' '))
        .to.include('chroma.sqlite3-wal')
        .and.not.to.match(/middle of a write|undone/)
      expect(fingerprint(persistDir)).to.deep.equal(before)
    })
  })

  for (const [command, copy] of Object.entries(COPIES)) {
    it(`is not taken for the one that belongs to the index files once it was written to: ${command}`, async () => {
      await inWalMode(async (persistDir, writer) => {
        const dir = await openPersistDir(persistDir)
        const output = join(temporaryFolder(), 'copy')
        try {
          await writer.exec('UPDATE embedding_metadata SET float_value = 2 WHERE id = 1')
          const failure = await copy(dir, output).catch((error: unknown) => error)
          expect(failure).to.include({kind: 'in-use'})
          expect(existsSync(output)).to.equal(false)
        } finally {
          await dir.close()
        }

        const again = await openPersistDir(persistDir)
        try {
          await copy(again, output)
          expect(existsSync(output)).to.equal(true)
        } finally {
          await again.close()
        }
      })
    })
  }
})
