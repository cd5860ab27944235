import {expect} from 'chai'
import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {openPersistDir} from '../../core/src/persist-dir/persist-dir.js'
import {openDatabase} from '../../core/src/sqlite/open.js'
import {COPIES} from '../support/copies.js'
import {temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {withDatabase} from '../support/sql.js'

const WRITTEN = "SELECT count(*) AS n FROM collection_metadata WHERE str_value = 'written'"

describe('while a Chroma up to 0.6 is in the middle of a write', () => {
  for (const [command, copy] of Object.entries(COPIES)) {
    it(`${command} waits for its end, before which index files are ahead of the database`, async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const output = join(temporaryFolder(), 'copy')
      const dir = await openPersistDir(persistDir)
      try {
        await withDatabase(persistDir, async (writer) => {
          await writer.exec("BEGIN IMMEDIATE; UPDATE collection_metadata SET str_value = 'written'")
          const copied = copy(dir, output)
          await sleep(200)
          await writer.exec('COMMIT')
          await copied
        })
      } finally {
        await dir.close()
      }

      const inFolder = join(output, 'chroma.sqlite3')
      const db = await openDatabase(existsSync(inFolder) ? inFolder : output, {mode: 'read'})
      try {
        expect(await db.get(WRITTEN))
          .to.have.property('n')
          .greaterThan(0)
      } finally {
        await db.close()
      }
    })
  }
})
