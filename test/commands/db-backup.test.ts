import {expect} from 'chai'
import {execFileSync, spawnSync} from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import {dirname, join} from 'node:path'

import type {Backup} from '../../plugins/ops-db/src/services/backup/backup.js'
import type {VerifiedBackup} from '../../plugins/ops-db/src/services/backup/verify-existing.js'

import {listContents} from '../../plugins/ops-db/src/services/backup/contents.js'
import type {Manifest} from '../../plugins/ops-db/src/services/backup/manifest.js'
import {writeArchive} from '../../plugins/ops-db/src/services/backup/to-archive.js'
import {whileOpenElsewhere} from '../support/background.js'
import {chops, chopsJson} from '../support/cli.js'
import {overwrite} from '../support/damage.js'
import {FIXTURES, temporaryFolder, unpackFixture} from '../support/fixtures.js'
import {expectToMatchSchema} from '../support/schemas.js'
import {locate} from '../support/segments.js'
import {expectSound, stateOf} from '../support/sound.js'
import {fingerprint} from '../support/untouched.js'

const MANIFEST = 'chops-backup.json'

/** Has written half of a transaction into the file when it is killed. */
const KILLED_WRITER = `
  const {openDatabase} = await import(${JSON.stringify(new URL('../../core/dist/sqlite/open.js', import.meta.url).href)})
  const db = await openDatabase(process.argv[1], {mode: 'write'})
  await db.exec('PRAGMA cache_size = 1; BEGIN IMMEDIATE; DELETE FROM embedding_metadata; DELETE FROM embeddings_queue')
  process.kill(process.pid, 'SIGKILL')`

/** Names, sizes and contents, but not times. */
const contentOf = (folder: string): string[] =>
  fingerprint(folder)
    .map((line) => line.replace(/ \d+(?:\.\d+)?( [\da-f]*)$/, '$1'))
    .filter((line) => !line.startsWith(MANIFEST))

async function backUp(persistDir: string, output: string, ...flags: string[]): Promise<Backup> {
  const {code, json} = await chopsJson<Backup>(['db', 'backup', persistDir, '-o', output, '-y', ...flags])
  expect(code, JSON.stringify(json)).to.equal(0)
  expectToMatchSchema('db-backup', json)
  return json
}

async function verdictOn(backup: string): Promise<{code: null | number; stderr: string}> {
  return chops(['db', 'backup', backup, '--verify'])
}

/** A Zstandard frame whose blocks each repeat one byte 128 KiB long, with the size of its content in its head or without. */
function repetitiveFrame(bytes: number, stated: number | undefined): Buffer {
  const blockBytes = 2 ** 17
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, stated === undefined ? 0 : 0xc0, 0x58])
  const size = Buffer.alloc(stated === undefined ? 0 : 8)
  if (stated !== undefined) size.writeBigUInt64LE(BigInt(stated))
  const blocks = Buffer.alloc((bytes / blockBytes) * 4)
  for (let at = 0; at < blocks.length; at += 4) {
    const isLast = at + 4 === blocks.length
    blocks.writeUIntLE((blockBytes << 3) | (1 << 1) | (isLast ? 1 : 0), at, 3)
  }

  return Buffer.concat([head, size, blocks])
}

function unpack(archive: string): string {
  const into = temporaryFolder()
  execFileSync('tar', [archive.endsWith('.zst') ? '--zstd' : '-z', '-xf', archive, '-C', into])
  const [top = ''] = readdirSync(into)
  return join(into, top)
}

describe('db backup', () => {
  for (const name of FIXTURES) {
    it(`copies ${name} to the byte into a folder that Chroma can use, and changes nothing`, async () => {
      const {expected, persistDir} = unpackFixture(name)
      const before = fingerprint(persistDir)
      const output = join(temporaryFolder(), 'copy')
      const json = await backUp(persistDir, output, '--verify')
      expect(json).to.include({format: 'directory', status: 'done', verified: true})
      expect(fingerprint(persistDir)).to.deep.equal(before)
      expect(contentOf(output)).to.deep.equal(contentOf(persistDir))
      expect(readdirSync(dirname(output))).to.deep.equal(['copy'])
      rmSync(join(output, MANIFEST))
      await expectSound(output, {before: await stateOf(name), expected})
    })
  }

  for (const ending of ['tar.gz', 'tar.zst']) {
    it(`writes a .${ending} that other programs unpack to the same files`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const output = join(temporaryFolder(), `monday.${ending}`)
      const json = await backUp(persistDir, output, '--verify')
      expect(json).to.include({format: ending, status: 'done', verified: true})
      const unpacked = unpack(output)
      expect(contentOf(unpacked)).to.deep.equal(contentOf(persistDir))
      expect((await verdictOn(unpacked)).code).to.equal(0)
      const {code, json: verified} = await chopsJson<VerifiedBackup>(['db', 'backup', output, '--verify'])
      expect(code).to.equal(0)
      expectToMatchSchema('db-backup', verified)
      expect(verified).to.include({bytes: json.bytes, files: json.files, format: ending, status: 'verified'})
    })

    it(`finds a .${ending} that is cut off, changed or something else`, async () => {
      const {persistDir} = unpackFixture('chroma-0.6.3')
      const whole = join(temporaryFolder(), `whole.${ending}`)
      await backUp(persistDir, whole)
      const {size} = statSync(whole)
      const spoiled: [string, (file: string) => void][] = [
        ['cut by a byte', (file) => truncateSync(file, size - 1)],
        ['cut in the middle', (file) => truncateSync(file, size >> 1)],
        ['empty', (file) => truncateSync(file, 0)],
        ['changed', (file) => overwrite(file, size >> 1, new Uint8Array(16).fill(0xaa))],
        ['something else', (file) => writeFileSync(file, 'a letter to nobody, of some length')],
      ]
      for (const [what, spoil] of spoiled) {
        const file = join(temporaryFolder(), `backup.${ending}`)
        cpSync(whole, file)
        spoil(file)
        const {code, stderr} = await verdictOn(file)
        expect(code, `${what}: ${stderr}`).to.equal(4)
        expect(stderr, what).to.match(/^Error: [^\n]+\n {2}[^\n]+\n$/)
      }
    })
  }

  for (const ending of ['tar.gz', 'tar.zst'] as const) {
    it(`ends a .${ending} that cannot be written with the reason, however far it is`, async () => {
      const {persistDir} = unpackFixture('chroma-1.5.9')
      const {entries} = await listContents(persistDir, [], join(persistDir, 'chroma.sqlite3'))
      const plan = {entries, format: ending, target: `backup.${ending}`}
      const noManifest = async (): Promise<Manifest> => ({}) as Manifest
      const written = async (writable: number): Promise<number> => {
        let chunks = 0
        const write = async (): Promise<void> => {
          if (chunks === writable) throw new Error('the disk is full')
          chunks += 1
        }

        await writeArchive(plan, write, noManifest, {onBytes() {}})
        return chunks
      }

      const all = await written(Infinity)
      expect(all).to.be.greaterThan(0)
      for (let writable = 0; writable < all; writable++) {
        const reason = await written(writable).then(
          () => {},
          (error: unknown) => error,
        )
        expect(reason, `after ${writable} of ${all}`).to.have.property('message', 'the disk is full')
      }
    })
  }

  for (const [what, stated] of [
    ['as it says', 2 ** 31],
    ['beyond what 32 bits count', 2 ** 40],
    ['and says nothing of it', undefined],
  ] as const) {
    it(`refuses a .tar.zst of few bytes that holds more than fits into memory, ${what}`, async () => {
      const file = join(temporaryFolder(), 'bomb.tar.zst')
      writeFileSync(file, repetitiveFrame(2 ** 31, stated))
      const {code, stderr} = await verdictOn(file)
      expect(code).to.equal(4)
      expect(stderr).to.equal(
        `Error: ${file} cannot be decompressed: one of its frames holds more than 512 MiB.\n  Take another backup.\n`,
      )
    })
  }

  it('reads a .tar.zst that another program made one frame of', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const output = join(temporaryFolder(), 'monday.tar.zst')
    await backUp(persistDir, output)
    const tar = join(temporaryFolder(), 'monday.tar')
    execFileSync('zstd', ['-q', '-d', output, '-o', tar])
    const again = join(temporaryFolder(), 'monday.tar.zst')
    execFileSync('zstd', ['-q', tar, '-o', again])
    expect((await verdictOn(again)).code).to.equal(0)
    // Of what comes through a pipe the length is not known when the frame begins.
    writeFileSync(again, execFileSync('zstd', ['-q', '-c'], {input: readFileSync(tar)}))
    expect((await verdictOn(again)).code).to.equal(0)
  })

  it('finds a file of a folder that is missing, added or changed', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {segmentId} = await locate(persistDir, 'churned')
    const output = join(temporaryFolder(), 'copy')
    await backUp(persistDir, output)
    expect((await verdictOn(output)).code).to.equal(0)
    const file = join(output, segmentId, 'data_level0.bin')
    const bytes = readFileSync(file)
    const spoiled: [RegExp, () => void][] = [
      [/has other content/, () => overwrite(file, 100, Uint8Array.of(0xff, 0xfe, 0xfd))],
      [/has \d+ bytes instead of \d+/, () => truncateSync(file, 10)],
      [/is missing/, () => rmSync(file)],
    ]
    for (const [text, spoil] of spoiled) {
      spoil()
      const {code, stderr} = await verdictOn(output)
      expect(code).to.equal(4)
      expect(stderr).to.match(text)
      writeFileSync(file, bytes)
    }

    writeFileSync(join(output, 'new.txt'), '')
    expect((await verdictOn(output)).stderr).to.include('new.txt was added')
    rmSync(join(output, MANIFEST))
    expect((await verdictOn(output)).stderr).to.include(`it holds no ${MANIFEST}`)
  })

  it('keeps a file with holes small', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const {folder, segmentId} = await locate(persistDir, 'churned')
    const file = join(folder, 'link_lists.bin')
    truncateSync(file, 2 ** 28)
    const output = join(temporaryFolder(), 'copy')
    await backUp(persistDir, output, '--verify')
    const copy = statSync(join(output, segmentId, 'link_lists.bin'))
    expect(copy.size).to.equal(2 ** 28)
    expect(copy.blocks * 512).to.be.lessThan(2 ** 20)
    truncateSync(file, 2 ** 40)
    const {code, stderr} = await chops(['db', 'backup', persistDir, '-o', join(temporaryFolder(), 'x')])
    expect(code).to.equal(4)
    expect(stderr).to.include('link_lists.bin claims 1.0TiB').and.include('chops hnsw rebuild')
  })

  it('leaves links out and says so, but follows that of an index in use', async () => {
    const {expected, persistDir} = unpackFixture('chroma-1.5.9')
    const {folder} = await locate(persistDir, 'churned')
    const elsewhere = temporaryFolder()
    renameSync(folder, join(elsewhere, 'index'))
    symlinkSync(join(elsewhere, 'index'), folder)
    writeFileSync(join(elsewhere, 'secret'), 'not for a backup')
    symlinkSync(join(elsewhere, 'secret'), join(persistDir, 'link\u001B[2J'))
    const output = join(temporaryFolder(), 'copy')
    const {code, stderr} = await chops(['db', 'backup', persistDir, '-o', output])
    expect(code).to.equal(0)
    expect(stderr).to.include(String.raw`link\x1b[2J is left out: it is a symbolic link.`)
    expect(readdirSync(output).filter((name) => name.startsWith('link'))).to.deep.equal([])
    rmSync(join(output, MANIFEST))
    await expectSound(output, {before: await stateOf('chroma-1.5.9'), expected})
  })

  it('backs up what a killed writer left, as SQLite undoes it', async () => {
    const {persistDir} = unpackFixture('chroma-0.6.3')
    const copy = unpackFixture('chroma-0.6.3')
    spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      KILLED_WRITER,
      join(persistDir, 'chroma.sqlite3'),
    ])
    expect(existsSync(join(persistDir, 'chroma.sqlite3-journal'))).to.equal(true)
    const output = join(temporaryFolder(), 'copy')
    await backUp(persistDir, output, '--verify')
    rmSync(join(output, MANIFEST))
    await expectSound(output, {before: await stateOf('chroma-0.6.3'), expected: copy.expected})
  })

  it('overwrites an archive only when asked, a folder never, and writes nothing into the directory', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const folder = temporaryFolder()
    const archive = join(folder, 'backup.tar.gz')
    writeFileSync(archive, 'older')
    const before = fingerprint(persistDir)
    const no = await chops(['db', 'backup', persistDir, '-o', archive], {input: 'n\n'})
    expect(no.code).to.equal(0)
    expect(no.stdout).to.include('Cancelled: nothing was written.')
    expect((await chops(['db', 'backup', persistDir, '-o', archive])).code).to.equal(2)
    expect((await chops(['db', 'backup', persistDir, '-o', archive, '--dry-run'])).code).to.equal(0)
    expect(readFileSync(archive, 'utf8')).to.equal('older')
    mkdirSync(join(folder, 'full'))
    writeFileSync(join(folder, 'full', 'mine.txt'), 'mine')
    for (const output of [
      join(folder, 'full'),
      join(persistDir, 'copy'),
      persistDir,
      join(persistDir, 'x.tar.gz'),
    ]) {
      const {code, stderr} = await chops(['db', 'backup', persistDir, '-o', output, '-y'])
      expect(code, output).to.equal(2)
      expect(stderr).to.match(/^Error: [^\n]+\n {2}[^\n]+\n$/m)
    }

    expect((await chops(['db', 'backup', persistDir])).code).to.equal(2)
    expect(fingerprint(persistDir)).to.deep.equal(before)
    expect(readdirSync(folder).sort()).to.deep.equal(['backup.tar.gz', 'full'])
    await backUp(persistDir, archive)
    expect((await verdictOn(archive)).code).to.equal(0)
  })

  it('works beside a process that has the directory open', async () => {
    const {persistDir} = unpackFixture('chroma-1.5.9')
    const output = join(temporaryFolder(), 'copy')
    await whileOpenElsewhere(persistDir, async () => {
      await backUp(persistDir, output, '--verify')
    })
    expect(contentOf(output)).to.deep.equal(contentOf(persistDir))
  })
})
