import {expect} from 'chai'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'

import type {Clean, CleanFolder} from '../../plugins/ops-db/src/services/clean.js'

import {expectRefusals} from '../support/refusals.js'
import {chops, chopsJson} from '../support/cli.js'
import {DAMAGE} from '../support/damage.js'
import {FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {locate} from '../support/segments.js'
import {expectSound, stateOf} from '../support/sound.js'
import {withDatabase} from '../support/sql.js'
import {fingerprint} from '../support/untouched.js'

const ORPHAN = '11111111-2222-4333-8444-555555555555'
const BACKUP = `${ORPHAN}_backup_20260101000000`

/** Runs `db clean --json` and returns what it says about each folder, by name. */
async function clean(
  persistDir: string,
  ...flags: string[]
): Promise<{folders: Map<string, CleanFolder>; json: Clean}> {
  const {code, json} = await chopsJson<Clean>(['db', 'clean', persistDir, '-y', ...flags])
  expect(code).to.equal(0)
  expectToMatchSchema('db-clean', json)
  return {folders: new Map(json.folders.map((folder) => [folder.name, folder])), json}
}

/** The index of `churned`, copied into a folder of another name. */
async function copyIndexTo(persistDir: string, name: string): Promise<string> {
  const {folder} = await locate(persistDir, 'churned')
  const copy = join(persistDir, name)
  cpSync(folder, copy, {recursive: true})
  return copy
}

describe('db clean', () => {
  for (const name of FIXTURES) {
    it(`removes the orphans of ${name}, and no more`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      await copyIndexTo(persistDir, ORPHAN)
      const {folders, json} = await clean(persistDir)
      expect(json.status).to.equal('done')
      expect(folders.get(ORPHAN)).to.include({keepReason: null, kind: 'orphan', removed: true})
      expect(json.freedBytes).to.be.greaterThan(0)
      const left = readdirSync(persistDir)
      for (const folder of folders.keys()) expect(left).not.to.include(folder)
      expect(left.filter((entry) => entry.startsWith('.'))).to.deep.equal([])
      await expectSound(persistDir, {before: await stateOf(name), expected})
      expect((await clean(persistDir)).json.status).to.equal('nothing-to-do')
    })
  }

  it('removes backups only with --backups', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await copyIndexTo(persistDir, BACKUP)
    const {folders} = await clean(persistDir)
    expect(folders.get(BACKUP)).to.include({keepReason: 'backup', kind: 'backup', removed: false})
    expect(existsSync(join(persistDir, BACKUP))).to.equal(true)
    const second = await clean(persistDir, '--backups')
    expect(second.folders.get(BACKUP)).to.include({keepReason: null, removed: true})
    expect(existsSync(join(persistDir, BACKUP))).to.equal(false)
  })

  it("leaves everything that is not Chroma's, and follows no link", async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    await clean(persistDir)
    const elsewhere = temporaryFolder()
    writeFileSync(join(elsewhere, 'header.bin'), 'precious')
    symlinkSync(elsewhere, join(persistDir, ORPHAN))
    for (const folder of [
      'notes',
      ORPHAN.replace('1', '2'),
      `${ORPHAN}_old`,
      `.chops-trash-notes`,
      `${ORPHAN}_backup_2026`,
    ]) {
      mkdirSync(join(persistDir, folder))
      writeFileSync(join(persistDir, folder, folder === 'notes' ? 'header.bin' : 'letter.txt'), 'mine')
    }

    writeFileSync(join(persistDir, ORPHAN.replace('1', '3')), 'a file with the name of a segment')
    const before = fingerprint(persistDir)
    const {json} = await clean(persistDir, '--backups')
    expect(json).to.deep.include({folders: [], status: 'nothing-to-do'})
    expect(fingerprint(persistDir)).to.deep.equal(before)
    expect(readdirSync(elsewhere)).to.deep.equal(['header.bin'])
  })

  it('keeps an orphan that holds something else, and says what', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const copy = await copyIndexTo(persistDir, ORPHAN)
    writeFileSync(join(copy, 'readme\u001B[31m.txt'), 'mine')
    const {stdout} = await chops(['db', 'clean', persistDir, '--dry-run'])
    expect(stdout).to.include(String.raw`keep: it also holds readme\x1b[31m.txt`)
    const {folders} = await clean(persistDir)
    expect(folders.get(ORPHAN)).to.include({keepReason: 'foreign-files', removed: false})
    expect(readdirSync(copy)).to.have.length(6)
  })

  it('removes what is inside an orphan without following links', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const elsewhere = temporaryFolder()
    writeFileSync(join(elsewhere, 'data_level0.bin'), 'precious')
    mkdirSync(join(persistDir, ORPHAN))
    symlinkSync(join(elsewhere, 'data_level0.bin'), join(persistDir, ORPHAN, 'data_level0.bin'))
    const {folders} = await clean(persistDir)
    expect(folders.get(ORPHAN)?.removed).to.equal(true)
    expect(readdirSync(elsewhere)).to.deep.equal(['data_level0.bin'])
  })

  it('finishes what a killed clean began', async () => {
    const {persistDir} = unpackFixture('chroma-1.0.16')
    await copyIndexTo(persistDir, `.chops-trash-${ORPHAN}`)
    rmSync(join(persistDir, `.chops-trash-${ORPHAN}`, 'header.bin'))
    const {json: info} = await chopsJson<{generalInfo: object}>(['db', 'info', persistDir])
    expect(JSON.stringify(info)).to.include(`.chops-trash-${ORPHAN}`)
    const {folders} = await clean(persistDir)
    expect(folders.get(`.chops-trash-${ORPHAN}`)).to.include({kind: 'trash', removed: true})
    expect(existsSync(join(persistDir, `.chops-trash-${ORPHAN}`))).to.equal(false)
  })

  describe('of a directory that has lost vectors', () => {
    const LOSSES: Record<string, (folder: string) => void> = {
      'its folder is gone': (folder) => rmSync(folder, {recursive: true}),
      'its folder was moved away by hand': (folder) => renameSync(folder, `${folder}.old`),
      'its id map is damaged': (folder) => DAMAGE.truncated(join(folder, 'index_metadata.pickle')),
      'its id map is gone': (folder) => rmSync(join(folder, 'index_metadata.pickle')),
      'its vectors are gone': (folder) => DAMAGE.empty(join(folder, 'data_level0.bin')),
    }
    for (const [what, lose] of Object.entries(LOSSES)) {
      it(`keeps the folders that may have them: ${what}`, async () => {
        const {persistDir} = unpackFixture('chroma-1.5.9')
        const {folder} = await locate(persistDir, 'churned')
        await copyIndexTo(persistDir, ORPHAN)
        await copyIndexTo(persistDir, BACKUP)
        lose(folder)
        const {folders} = await clean(persistDir, '--backups')
        for (const name of [ORPHAN, BACKUP]) {
          expect(folders.get(name)).to.include({keepReason: 'last-vectors', removed: false})
          expect(folders.get(name)?.detail).to.match(
            /^\d+ records of default_tenant\/default_database\/churned lost/,
          )
          expect(readdirSync(join(persistDir, name))).to.have.length(5)
        }
      })
    }

    it('keeps a folder that cannot be read, and removes one that holds nothing', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {folder} = await locate(persistDir, 'churned')
      const unreadable = await copyIndexTo(persistDir, ORPHAN)
      DAMAGE.noisy(join(unreadable, 'index_metadata.pickle'))
      const empty = ORPHAN.replace('1', '2')
      mkdirSync(join(persistDir, empty))
      rmSync(folder, {recursive: true})
      const {folders} = await clean(persistDir)
      expect(folders.get(ORPHAN)?.keepReason).to.equal('last-vectors')
      expect(folders.get(empty)?.removed).to.equal(true)
    })

    it('removes the same folders when the records are gone as well', async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {folder, metadataSegment} = await locate(persistDir, 'churned')
      await copyIndexTo(persistDir, ORPHAN)
      rmSync(folder, {recursive: true})
      await withDatabase(persistDir, (db) =>
        db.run('DELETE FROM embeddings WHERE segment_id = ?', [metadataSegment?.id ?? '']),
      )
      const {folders} = await clean(persistDir)
      expect(folders.get(ORPHAN)?.removed).to.equal(true)
    })
  })

  it('changes nothing with -d, on a no, without an answer, or while Chroma runs', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const before = fingerprint(persistDir)
    const args = ['db', 'clean', persistDir]
    expect((await chops([...args, '-d'])).stdout).to.include('Dry run: nothing was changed.')
    const no = await chops(args, {input: 'n\n'})
    expect(no.stdout).to.include('Cancelled: nothing was changed.')
    expect(no.stderr).to.include('Are you sure you want to delete these segment dirs? [y/N]')
    await expectRefusals(persistDir, args)
    expect(fingerprint(persistDir)).to.deep.equal(before)
  })
})
