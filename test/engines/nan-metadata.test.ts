import {expect} from 'chai'
import {execFile} from 'node:child_process'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'

import {chops} from '../support/cli.js'
import {temporaryFolder} from '../support/fixtures.js'
import {takeSnapshot} from '../support/snapshots.js'
import {type Engine, engineOrSkip} from './support/engines.js'
import {copyOf, writeDirectory} from './support/judge.js'

const SCRIPT = fileURLToPath(new URL('nan_metadata.py', import.meta.url))
const RECORDS = 20

async function answerOf(
  {python}: Engine,
  dir: string,
): Promise<{count: number; nearest: string[]; stored: Record<string, number[]>}> {
  const {stdout} = await promisify(execFile)(python, [SCRIPT, 'read', dir])
  return JSON.parse(stdout) as {count: number; nearest: string[]; stored: Record<string, number[]>}
}

async function expectWhole(engine: Engine, dir: string): Promise<void> {
  const {count, nearest, stored} = await answerOf(engine, dir)
  expect(count).to.equal(RECORDS + 1)
  expect(nearest).to.deep.equal(['m3'])
  const wanted = Array.from({length: RECORDS}, (_, i) => [`m${i}`, [i, 1, 2]])
  expect(stored).to.deep.equal(Object.fromEntries(wanted))
}

for (const [older, newer] of [
  ['0.4.24', '1.5.9'],
  ['0.6.3', '1.0.16'],
  ['0.6.3', '1.5.9'],
] as const) {
  describe(`metadata with NaN that Chroma ${older} took, judged by ${newer}`, () => {
    let engine: Engine
    let written: string

    before(async function () {
      const first = await engineOrSkip(this, older)
      engine = await engineOrSkip(this, newer)
      written = join(temporaryFolder(), 'persist')
      await promisify(execFile)(first.python, [SCRIPT, 'write', written])
    })

    for (const command of [
      ['wal', 'commit'],
      ['db', 'check', '--fix'],
    ]) {
      it(`is found after the upgrade, in which every call fails, until "${command.join(' ')}"`, async () => {
        const dir = copyOf(written)
        const {code: healthy} = await chops(['db', 'check', dir])
        expect(healthy).to.equal(0)
        await answerOf(engine, dir).then(
          () => expect.fail('the engine reads it'),
          () => {},
        )
        const {code, stdout} = await chops(['db', 'check', dir])
        expect(code).to.equal(1)
        expect(stdout).to.include('W8')
        await chops([...command, dir, '-y'])
        const {code: after} = await chops(['db', 'check', dir])
        expect(after).to.equal(0)
        await expectWhole(engine, dir)
      })
    }

    it('is no obstacle to a restore', async () => {
      const snapshot = await takeSnapshot(written, {name: 'measured'})
      const dir = await writeDirectory(engine, {seed: 5})
      const {code, stderr} = await chops(['collection', 'restore', dir, '-i', snapshot, '-y'])
      expect(code, stderr).to.equal(0)
      await expectWhole(engine, dir)
    })
  })
}
