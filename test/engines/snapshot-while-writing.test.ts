import {expect} from 'chai'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {fileURLToPath} from 'node:url'

import {chops} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {readRecords} from '../support/records.js'
import {type Engine, ENGINE_VERSIONS, engineOrSkip} from './support/engines.js'
import {ENVIRONMENT, snapshotBy} from './support/judge.js'

const WRITER = fileURLToPath(new URL('keep_writing.py', import.meta.url))
const SNAPSHOTS = 6
const BATCH = 20
/** Enough for an index on the disk that grows. */
const BEGIN = 300
const IN_USE = 3
/** The records lie on a line, where the older engines miss one now and then. */
const RECALL = 0.9

/** A Chroma that adds records in their order, and how many it has acknowledged. */
class Writer {
  acknowledged = 0
  private readonly child
  private readonly ended
  private said = ''

  constructor(engine: Engine, persistDir: string) {
    this.child = spawn(engine.python, [WRITER, persistDir], {
      cwd: tmpdir(),
      env: {...process.env, ...ENVIRONMENT},
    })
    this.ended = once(this.child, 'close')
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.said += text
    })
    createInterface({input: this.child.stdout}).on('line', (line) => {
      if (/^\d+$/.test(line)) this.acknowledged = Number(line)
    })
  }

  async stop(): Promise<void> {
    this.child.stdin.end()
    const [code] = (await this.ended) as [number]
    expect(code, this.said).to.equal(0)
  }

  async until(count: number): Promise<void> {
    while (this.acknowledged < count && this.child.exitCode === null)
      await Promise.race([once(this.child.stdout, 'data'), this.ended])
    expect(this.acknowledged, this.said).to.be.at.least(count)
  }
}

/** How many records a directory has, which have to be those that were written first, whole batches of them. */
async function countFirst(persistDir: string): Promise<number> {
  const records = await readRecords(persistDir, {name: 'written'})
  for (let i = 0; i < records.size; i++) {
    const record = records.get(String(i))
    const wanted = {document: `document ${i}`, metadata: {number: BigInt(i)}}
    expect(record, `record ${i} of ${records.size}`).to.deep.include(wanted)
    expect([...(record?.embedding ?? [])]).to.deep.equal(Array.from({length: 8}, () => i))
  }

  expect(records.size % BATCH).to.equal(0)
  return records.size
}

for (const version of ENGINE_VERSIONS) {
  describe(`snapshots beside a Chroma ${version} that writes`, function () {
    this.timeout(600_000)

    it('are each of one instant, and the writer loses nothing', async function () {
      const engine = await engineOrSkip(this, version)
      const persistDir = join(temporaryFolder(), 'persist')
      mkdirSync(persistDir)
      const writer = new Writer(engine, persistDir)
      const files: string[] = []
      try {
        await writer.until(BEGIN)
        while (files.length < SNAPSHOTS) {
          const before = writer.acknowledged
          const file = join(temporaryFolder(), 'written.snapshot')
          const {code, stderr} = await chops([
            'collection',
            'snapshot',
            persistDir,
            '-c',
            'written',
            '-o',
            file,
          ])
          // Chroma writes index files without SQLite's lock: a snapshot that met this says so.
          expect(code, stderr).to.be.oneOf([0, IN_USE])
          const after = writer.acknowledged + BATCH
          await writer.until(writer.acknowledged + BATCH)
          if (code === IN_USE) continue
          files.push(file)
          const restored = join(temporaryFolder(), 'restored')
          const made = await chops(['collection', 'restore', restored, '-i', file, '-y'])
          expect(made.code, made.stderr).to.equal(0)
          expect(await countFirst(restored)).to.be.within(before, after)
          const {collections} = await snapshotBy(engine, restored)
          expect(collections.map(({count}) => count)).to.deep.equal([await countFirst(restored)])
          expect(collections[0]?.recall).to.be.at.least(RECALL)
        }
      } finally {
        await writer.stop()
      }

      expect(await countFirst(persistDir)).to.equal(writer.acknowledged)
      const {collections} = await snapshotBy(engine, persistDir)
      expect(collections.map(({count}) => count)).to.deep.equal([writer.acknowledged])
    })
  })
}
